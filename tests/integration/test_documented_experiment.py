"""The experiment shown in docs/ is complete, short, and runs."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[2] / "docs" / "writing_an_experiment.md"


def test_the_documented_experiment_runs_as_it_stands(tmp_path, monkeypatch):
    import harness

    text = DOCUMENT.read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert len(code.splitlines()) < 40
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "embedding_norms.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    stored = harness.run("embedding_norms", "tracker=none")
    assert stored.status == "complete"
    assert stored.folder.is_relative_to(tmp_path / "results")
    assert stored.metrics["unused/norm_mean"] > 0
    assert set(stored.figures) == {"norms"}
    assert len(stored.records) == sum(len(row) for row in stored.arrays.values())
