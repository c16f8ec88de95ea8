"""docs/results.md shows the arrays that the experiments declare.

    python -m tests.unit.house.test_results_page

writes its tables anew.
"""

import re
from pathlib import Path

import pytest

from harness.runs import registry
from harness.runs.arrays import markdown_table

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "results.md"
EXPERIMENTS = sorted(path.parent.name for path in ROOT.glob("experiments/*/config.py"))


def with_tables(page: str) -> str:
    """The page with the table of its experiment below every mark."""

    def table(mark: re.Match[str]) -> str:
        return f"<!-- arrays: {mark[1]} -->\n{markdown_table(registry.load_arrays(mark[1]) or ())}"

    return re.sub(r"<!-- arrays: (\w+) -->\n(?:\|.*\n)*", table, page)


def test_the_tables_are_those_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == with_tables(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_on_the_page(name: str) -> None:
    page, declared = PAGE.read_text(encoding="utf-8"), registry.load_arrays(name)
    assert f"\n## {name}\n" in page
    assert declared is not None
    assert (f"<!-- arrays: {name} -->" in page) == bool(declared)


def test_a_changed_declaration_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = registry.load_arrays
    monkeypatch.setattr(registry, "load_arrays", lambda name: (declared(name) or ())[1:])
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) != page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
