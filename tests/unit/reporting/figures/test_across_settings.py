"""Means with intervals across models and seeds, as picture and table."""

from pathlib import Path

import numpy as np
import pytest

from harness.measure.intervals import student_t
from harness.reporting.display import load_display
from harness.reporting.figures.across import Across, Part, Quantity, Scale
from harness.reporting.pools import pools_shown
from harness.runs import registry
from tests.unit.runs.results.stored_runs import Made, write_run

pytestmark = pytest.mark.unit

SPEC = Across(
    "gain",
    "Copying.",
    (Quantity("{part}/copy_gain", "copy gain", Scale.DIFFERENCE), Quantity("{part}/not_there", "not there")),
    lambda run: [Part(pool, pool) for pool in pools_shown(run)],
)


def test_seeds_become_one_row_and_models_stay_apart(tmp_path: Path) -> None:
    seeds = [write_run(tmp_path, Made(seq_len=3, seed=seed, gain=5.0 + seed)) for seed in range(3)]
    other = write_run(tmp_path, Made(seq_len=3, model="gpt2", gain=4.0))
    table = SPEC.build([*seeds, other])
    assert table is not None
    assert table[["model", "of", "runs"]].values.tolist() == [
        ["gpt2", "unused", 1], ["gpt2", "common", 1], ["pocket", "unused", 3], ["pocket", "common", 3],
    ]  # fmt: skip
    three, one = table.iloc[3], table.iloc[1]
    expected = student_t(np.array([run.metrics["common/copy_gain"] for run in seeds]))
    assert (three["copy gain"], three["copy gain ci_low"]) == (expected.mean, expected.low)
    assert (one["copy gain"], one["copy gain ci_low"], one["copy gain ci_high"]) == other.interval("common/copy_gain")
    drawn = SPEC.draw([*seeds, other])
    assert drawn is not None and len(drawn.runs) == 4
    (axes,) = drawn.canvas.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "unused, gpt2", "common, gpt2", "unused, pocket", "common, pocket",
    ]  # fmt: skip


def test_what_all_rows_have_in_common_is_left_out_and_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(seq_len=3))
    drawn = SPEC.draw([run])
    assert drawn is not None
    assert [label.get_text() for label in drawn.canvas.axes[0].get_yticklabels()] == ["unused", "common"]
    table = SPEC.build([run])
    assert table is not None and "model" in table and "setting" not in table
    nothing = Across("nothing", "Nothing.", (Quantity("no/such", "no"),))
    assert nothing.draw([run]) is None and nothing.build([run]) is None


@pytest.mark.parametrize("name", sorted(set(registry.names()) - {"token_card", "train_path_star", "train_pocket"}))
def test_every_experiment_that_compares_has_a_figure_across_runs(name: str) -> None:
    assert load_display(name).paper_figures
