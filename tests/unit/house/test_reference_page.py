"""docs/reference.md is what `exp=NAME --help` prints, for every experiment.

    python -m tests.unit.house.test_reference_page

writes it anew.
"""

from pathlib import Path

import pytest

from harness.experiment_help import example_commands, experiment_help
from harness.parameters import parameters
from harness.runs import registry
from harness.runs.config.compose import compose_run

pytestmark = pytest.mark.unit

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference.md"
NAMES = sorted(registry.names())


def page() -> str:
    """The whole page."""
    parts = [f"## {name}\n\n```text\n{experiment_help(name)}\n```\n" for name in NAMES]
    head = "# Every experiment's parameters\n\nAs `python -m harness exp=NAME --help` prints them.\n"
    return "\n".join([head, *parts])


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_meaning(name: str) -> None:
    missing = [one.key for one in parameters(registry.load(name).config) if not one.meaning]
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_every_example_composes(name: str) -> None:
    for command in example_commands(name, list(parameters(registry.load(name).config))):
        assert compose_run(command.split()[3:]).exp_name == name


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
