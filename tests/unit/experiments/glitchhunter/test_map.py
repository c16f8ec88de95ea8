from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.glitchhunter.figures import draw_map
from harness.runs.results.stored_run import StoredRun
from tests.unit.runs.results.stored_runs import Made, write_run


def _run(folder: Path, **more: Any) -> StoredRun:
    # Communities of four tokens: none asked, none fails, one in four fails, two in four, all.
    verdict = np.array([-1] * 4 + [0] * 4 + [1, 0, 0, 0] + [1, 1, 0, 0] + [1] * 4, dtype=np.int8)
    n = len(verdict)
    run = write_run(folder, Made(seq_len=3, heads=False))
    run.metrics["informative"] = 1
    run.arrays.clear()
    run.arrays.update(
        xy=np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32),
        verdict=verdict,
        community=np.repeat(np.arange(5), 4),
        last_iteration=np.ones(n, dtype=np.int64),
    )
    run.arrays.update(more)
    return run


def _labels(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_communities_are_told_by_the_share_of_them_that_fails(tmp_path: Path) -> None:
    figure = draw_map(_run(tmp_path))
    assert figure is not None
    # One graph alone has no picture of last graphs.
    communities, verdicts = figure.axes
    assert _labels(communities) == [
        "no token of it asked (4)", "none fails (4)", "up to half fail (8)", "more fail (4)",
    ]  # fmt: skip
    assert _labels(verdicts) == ["not asked (4)", "passes (9)", "glitch token (7)"]


@pytest.mark.parametrize(("graphs", "panels"), [(1, 2), (3, 3)])
def test_last_graphs_are_drawn_where_there_are_several(tmp_path: Path, graphs: int, panels: int) -> None:
    figure = draw_map(_run(tmp_path, last_iteration=np.resize(np.arange(1, graphs + 1), 20)))
    assert figure is not None and len(figure.axes) == panels


def test_the_census_says_what_fails_where_there_is_one(tmp_path: Path) -> None:
    figure = draw_map(_run(tmp_path, census=np.zeros(20, dtype=np.int8)))
    assert figure is not None
    assert _labels(figure.axes[0]) == ["none fails (20)"]
