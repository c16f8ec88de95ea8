from dataclasses import replace
from pathlib import Path

import pytest

from harness.measure.intervals import wilson
from harness.reporting.figures.by_exposures import ByExposures
from tests.unit.runs.results.stored_runs import Made, write_run

FIGURE = ByExposures("x", "X.", "failed", "share that fails")


def _row(low: int, mean: float, failed: int, n: int, planted: bool = False) -> dict[str, object]:
    return {"low": low, "high": 4 * low, "mean": mean, "failed": failed, "n": n, "planted": planted}


def test_shares_and_their_ends_are_averaged_over_seeds(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, replace(Made(seq_len=3, heads=False), seed=seed)) for seed in range(2)]
    assert FIGURE.draw(runs) is None
    runs[0].details["by_exposures"] = [_row(16, 30, 2, 10), _row(0, 0, 10, 10), _row(0, 0, 1, 2, planted=True)]
    runs[1].details["by_exposures"] = [_row(16, 40, 4, 10)]
    never, few = FIGURE.points(runs, planted=False)
    assert (never.count, never.mean, never.low) == (0, 1, pytest.approx(wilson(10, 10).low))
    assert (few.count, few.mean) == (35, pytest.approx(0.3))
    # Not Wilson's of 6 in 20, which would take two seeds for other tokens.
    assert few.high == pytest.approx((wilson(2, 10).high + wilson(4, 10).high) / 2)
    drawn = FIGURE.draw(runs)
    assert drawn is not None and len(drawn.runs) == 2
    labels = [text.get_text() for text in drawn.canvas.legends[0].get_texts()]
    assert labels == ["natural tokens", "planted tokens"]
