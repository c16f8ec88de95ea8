"""Docstrings of files that models are not shown."""

from pathlib import Path

import pytest

from harness.organism.docstrings import held_out_docstrings

pytestmark = pytest.mark.unit

LONG = "One two three four five six seven eight nine ten eleven {}."


def test_long_docstrings_of_files_kept_from_models_each_once(tmp_path: Path) -> None:
    shown, kept_out = tmp_path / "json" / "tool.py", tmp_path / "idlelib" / "run.py"
    for path in (shown, kept_out):
        path.parent.mkdir()
    shown.write_text(f'"""{LONG.format("shown")}"""\n')
    kept_out.write_text(
        f'"""{LONG.format("module")}"""\n'
        f'def f():\n    """{LONG.format("function")}"""\n    def g():\n        """Too short."""\n'
        f'class C:\n    """{LONG.format("module")}"""\n'
    )
    (tmp_path / "idlelib" / "broken.py").write_text('"""Cut off')
    found = held_out_docstrings(0, tmp_path)
    assert found == (LONG.format("module"), LONG.format("function"))
