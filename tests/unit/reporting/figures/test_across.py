from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.reporting.figures.across import Across, Part, Quantity, Scale, over_seeds
from harness.runs.results.stored_run import StoredRun
from tests.unit.runs.results.stored_runs import Made, write_run

SMALL = Made(seq_len=3, heads=False)
WHOLE = Part("", "")


def _runs(folder: Path, name: str, values: list[Any]) -> list[StoredRun]:
    runs = [write_run(folder, replace(SMALL, seed=seed)) for seed in range(len(values))]
    for run, value in zip(runs, values, strict=True):
        run.metrics[name] = value
    return runs


def test_one_run_keeps_its_own_interval(tmp_path: Path) -> None:
    (run,) = _runs(tmp_path, "x", [0.4])
    run.metrics |= {"x/ci_low": 0.3, "x/ci_high": 0.6}
    row = over_seeds([run], WHOLE, Quantity("x", ""))
    assert (row.mean, row.low, row.high, row.each) == (0.4, 0.3, 0.6, ())


def test_two_seeds_stand_side_by_side_and_have_no_interval(tmp_path: Path) -> None:
    row = over_seeds(_runs(tmp_path, "x", [0.2, 0.4]), WHOLE, Quantity("x", ""))
    assert (row.mean, row.low, row.high, row.each) == (pytest.approx(0.3), None, None, (0.2, 0.4))


def test_three_seeds_have_students_interval_within_what_is_possible(tmp_path: Path) -> None:
    runs = _runs(tmp_path, "x", [0.0, 0.5, 1.0])
    # 4.303 * 0.5 / sqrt(3) = 1.242 on either side of 0.5.
    row = over_seeds(runs, WHOLE, Quantity("x", ""))
    assert (row.low, row.high) == (0.0, 1.0)
    row = over_seeds(runs, WHOLE, Quantity("x", "", Scale.FROM_ZERO))
    assert (row.low, row.high) == (0.0, pytest.approx(0.5 + 1.2421, abs=1e-3))
    row = over_seeds(runs, WHOLE, Quantity("x", "", Scale.DIFFERENCE))
    assert row.low == pytest.approx(0.5 - 1.2421, abs=1e-3)


def test_a_count_that_is_the_same_every_time_is_a_whole_number(tmp_path: Path) -> None:
    row = over_seeds(_runs(tmp_path, "x", [5, 5]), WHOLE, Quantity("x", ""))
    assert row.mean == 5 and isinstance(row.mean, int)


def test_rows_are_named_by_what_tells_them_apart_and_axes_start_at_zero(tmp_path: Path) -> None:
    across = Across(
        "a", "A.", (Quantity("{part}/n", "tokens", Scale.FROM_ZERO), Quantity("absent", "absent")),
        lambda _: [Part(name, name) for name in ("unused", "planted_1024")],
    )  # fmt: skip
    runs = _runs(tmp_path, "unused/n", [27])
    runs[0].metrics["planted_1024/n"] = 0
    drawn = across.draw(runs)
    assert drawn is not None
    (axes,) = drawn.canvas.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["unused", "planted 1,024"]
    assert axes.get_xlim()[0] <= 0 < 27 < axes.get_xlim()[1]
    assert [text.get_text() for text in axes.texts] == ["27", "0"]
    table = across.build(runs)
    assert table is not None and list(table["tokens"]) == [27, 0]
    assert across.draw(_runs(tmp_path, "other", [1])) is None


def test_pools_are_told_by_name_and_by_how_they_were_given_where_names_do_not_tell(tmp_path: Path) -> None:
    across = Across("a", "A.", (Quantity("n", "tokens", Scale.FROM_ZERO),))
    doses = {f"planted_{4**n}": f"planted:{4**n}" for n in range(5)}
    for second, labels in (
        (doses, ["5 pools", "unused, common"]),
        ({"unused": "auto", "common": "auto"}, ["unused=177:188 common=exposures:1000:", "unused=auto common=auto"]),
    ):
        runs = [write_run(tmp_path, made) for made in (SMALL, replace(SMALL, pools=second))]
        for run in runs:
            run.metrics["n"] = 3
        drawn = across.draw(runs)
        assert drawn is not None
        shown = [label.get_text().replace("\n", " ") for label in drawn.canvas.axes[0].get_yticklabels()]
        assert sorted(shown) == labels
