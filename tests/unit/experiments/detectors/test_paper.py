"""The comparison across models, on runs written by hand."""

import json

import pytest

from experiments.detectors.figures import line_of
from experiments.detectors.paper import comparable, draw_f1_over_models, f1_over_models
from harness.glitch.detectors import roster
from harness.runs.results.stored_run import StoredRun

pytestmark = pytest.mark.unit


@pytest.fixture
def run(tmp_path):
    def write(label, f1, ended="2026-01-01", budgets=(0.01, 0.1), detectors=("random", "magikarp"), glitch=5):
        """`f1` by detector, one for each budget."""
        metrics = {"truth/glitch_tokens": glitch} | {
            f"{name}/at_{100 * share:g}/f1": value
            for name, values in f1.items()
            for share, value in zip(budgets, values, strict=True)
        }
        files = {
            "manifest": {"experiment": "detectors", "status": "complete", "model": {"label": label}, "ended": ended},
            "metrics": metrics,
            "details": {"budgets": list(budgets), "detectors": list(detectors)},
        }
        folder = tmp_path / f"{label}-{ended}-{len(budgets)}-{len(detectors)}-{glitch}"
        folder.mkdir()
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content))
        return StoredRun(folder)

    return write


A = ("a", {"random": (0.2, 0.4), "magikarp": (0.1, 0.9)})
B = ("b", {"random": (0.4, 0.8), "magikarp": (0.0, 0.7)})


def test_means_over_models_with_intervals_over_them(run):
    runs = [run(*A), run(*B)]
    table = f1_over_models(runs).set_index("detector")
    assert table.loc["random", "1 %"] == pytest.approx(0.3)
    # Two values 0.2 apart: t(0.975, 1) = 12.706 times 0.1.
    assert table.loc["random", "1 % ci_high"] == pytest.approx(0.3 + 12.706 * 0.1, abs=1e-3)
    assert table.loc["magikarp", "1 %"] == pytest.approx(0.05)
    assert table["models"].tolist() == [2, 2]
    assert len(draw_f1_over_models(runs).axes[0].get_lines()) == 2


def test_the_newest_run_of_a_model_counts_once(run):
    newer = run("a", {"random": (0.6, 0.6), "magikarp": (0.6, 0.6)}, ended="2026-02-01")
    assert {found.folder.name for found in comparable([newer, run(*A), run(*B)])} == {
        newer.folder.name, "b-2026-01-01-2-2-5"
    }  # fmt: skip


def test_runs_that_cannot_be_compared_make_no_table(run):
    first = run(*A)
    assert f1_over_models([first]) is None
    assert draw_f1_over_models([first]) is None
    assert f1_over_models([first, run("b", {"random": (0.1,)}, budgets=(0.5,))]) is None
    assert f1_over_models([first, run("b", {}, glitch=None)]) is None
    less = run("b", {"random": (0.4, 0.8)}, detectors=("random",))
    assert f1_over_models([first, less])["detector"].tolist() == ["random"]


def test_no_two_detectors_have_the_same_line() -> None:
    every = [kind.name for kind in roster.DETECTORS]
    for names in (every, every[:4]):
        assert len({line_of(name, names) for name in names}) == len(names)
