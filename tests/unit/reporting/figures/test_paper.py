import csv
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.repeat_tokens import paper
from experiments.repeat_tokens.dose import doses
from experiments.repeat_tokens.seeds import across_seeds, curve_across_seeds
from harness.errors import Rejected
from harness.figures import main
from harness.reporting.figures.charts import value_text
from harness.reporting.figures.paper import draw_paper
from harness.reporting.figures.style import ONE_COLUMN, TWO_COLUMNS, widest
from harness.runs.results.collect import collect
from harness.runs.results.grouping import group_by_setting
from harness.runs.results.stored_run import StoredRun, load_run
from tests.unit.runs.results.stored_runs import Made, write_run

SMALL = Made(seq_len=3, heads=False)
POOLS = ({"unused": "177:188", "common": "100:111"}, {"unused": "byte_unused", "common": "early_merges"})


def _sweep(folder: Path) -> list[Made]:
    made = [
        replace(SMALL, model=model, pools=pools, seed=seed)
        for model in ("pocket", "stories")
        for pools in POOLS
        for seed in range(3)
    ]
    for one in made:
        write_run(folder, one)
    return made


def test_a_sweep_becomes_models_by_pools_with_seeds_as_intervals(tmp_path: Path) -> None:
    made = _sweep(tmp_path)
    drawn = draw_paper(tmp_path)
    assert {item.n_runs for item in drawn} == {12}
    out = tmp_path / "paper" / "repeat_tokens"
    for name in ("logprob_grid", "copy_forest"):
        sources = json.loads((out / "figures" / f"{name}.json").read_text())
        assert sorted(run["run_id"] for run in sources["runs"]) == sorted(one.run_id for one in made)
        assert sources["caption"]
        assert (out / "figures" / f"{name}.pdf").is_file() and (out / "figures" / f"{name}.png").is_file()
    rows = list(csv.DictReader((out / "tables" / "metrics.csv").open(encoding="utf-8")))
    assert len(rows) == 2 * 2 * 2
    assert {row["seeds"] for row in rows} == {"3"}
    groups = group_by_setting([write_run(tmp_path, one) for one in made])
    assert [(group.model, group.seeds) for group in groups] == [("pocket", [0, 1, 2])] * 2 + [
        ("stories", [0, 1, 2])
    ] * 2
    lows = [run.metrics["common/copy_gain/ci_low"] for run in groups[0].runs]
    row = next(row for row in rows if row["model"] == "pocket" and row["tokens"] == "100:111")
    # Seeds draw other orders of the same tokens: the intervals over tokens do not shrink with them.
    assert float(row["copy gain (nats) ci_low"]) == pytest.approx(np.mean(lows))


def test_one_seed_keeps_its_own_interval(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    (group,) = group_by_setting([run])
    value = across_seeds(group, "unused", "copy_gain")
    assert value is not None and (value.low, value.n_seeds) == (run.metrics["unused/copy_gain/ci_low"], 1)
    curve = curve_across_seeds(group, "unused")
    assert curve is not None and np.array_equal(curve[1], run.arrays["unused/position/logprob_low"])


def test_two_seeds_are_too_few_for_a_band(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, replace(SMALL, seed=seed)) for seed in range(3)]
    (two,), (three,) = group_by_setting(runs[:2]), group_by_setting(runs)
    band = curve_across_seeds(two, "unused")
    assert band is not None and np.isnan(band[1]).all()
    band = curve_across_seeds(three, "common")
    assert band is not None and np.isfinite(band[1]).all() and (band[2] <= 0).all()


def test_an_accuracy_stays_between_0_and_1(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, replace(SMALL, seed=seed)) for seed in range(2)]
    for run, high in zip(runs, (1.0, 0.98), strict=True):
        run.metrics["common/copy_accuracy/ci_high"] = high
    (group,) = group_by_setting(runs)
    value = across_seeds(group, "common", "copy_accuracy")
    assert value is not None and (value.low, value.high) == (pytest.approx(0.91), pytest.approx(0.99))


def test_an_accuracy_of_zero_for_all_seeds_is_not_certainly_zero(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, replace(SMALL, seed=seed)) for seed in range(3)]
    (group,) = group_by_setting(runs)
    value = across_seeds(group, "unused", "copy_accuracy")
    assert value is not None and value.mean == 0 and value.high is not None and 0 < value.high < 0.1


def test_other_lengths_are_not_averaged_together_and_are_named(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, replace(SMALL, seq_len=n)) for n in (3, 4)]
    assert [group.other for group in group_by_setting(runs)] == ["exp.seq_len=3", "exp.seq_len=4"]
    draw_paper(tmp_path)


def test_models_of_one_name_and_other_weights_are_told_apart(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(i), replace(SMALL, seed=i)) for i in range(2)]
    runs[1].manifest["model"]["weights_sha256"] = "f" * 64
    assert len({group.model for group in group_by_setting(runs)}) == 2


@pytest.mark.parametrize("older", [{"schema_version": 0}, {"experiment_version": 0}])
def test_other_versions_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, older: dict[str, int]
) -> None:
    new = write_run(tmp_path, SMALL)
    old = write_run(tmp_path, replace(SMALL, seed=5, **older))
    drawn = draw_paper(tmp_path)
    assert {item.n_runs for item in drawn} == {1}
    assert old.run_id in caplog.text and new.run_id not in caplog.text
    sources = json.loads((tmp_path / "paper/repeat_tokens/figures/copy_forest.json").read_text())
    assert [run["run_id"] for run in sources["runs"]] == [new.run_id]


@pytest.mark.parametrize(
    ("name", "data"),
    [("manifest.json", b"{"), ("manifest.json", b"[1]"), ("metrics.json", b"\xff\xfe"), ("arrays.safetensors", b"torn"),
     ("config.yaml", b"a: [")],
)  # fmt: skip
def test_a_damaged_folder_is_a_warning(tmp_path: Path, name: str, data: bytes) -> None:
    whole = write_run(tmp_path, SMALL)
    damaged = write_run(tmp_path, replace(SMALL, seed=7))
    (damaged.folder / name).write_bytes(data)
    collected = collect(tmp_path)
    assert [run.run_id for run in collected.runs["repeat_tokens"]] == [whole.run_id]
    assert [str(damaged.folder) in warning for warning in collected.warnings] == [True]


def test_runs_that_are_not_complete_are_not_drawn(tmp_path: Path) -> None:
    for status in ("running", "failed"):
        write_run(tmp_path, replace(SMALL, status=status))
    with pytest.raises(Rejected, match="no complete run"):
        draw_paper(tmp_path)


def test_runs_of_an_experiment_that_is_not_here_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = write_run(tmp_path, SMALL)
    text = (run.folder / "manifest.json").read_text().replace('"repeat_tokens"', '"gone"')
    (run.folder / "manifest.json").write_text(text)
    with pytest.raises(Rejected, match="nothing to draw"):
        draw_paper(tmp_path)
    assert "gone" in caplog.text


def test_the_command_answers_in_plain_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: nothing to draw: no complete run below {tmp_path}\n"
    assert main([str(tmp_path / "absent")]) == 2
    assert main(["--nonsense"]) == 2
    assert main([str(tmp_path), "--experiment", "repeat_token"]) == 2
    assert "did you mean" in capsys.readouterr().err.splitlines()[-1]
    write_run(tmp_path, SMALL)
    assert main([str(tmp_path), "--out", str(tmp_path / "elsewhere")]) == 0
    assert "copy_forest.pdf" in capsys.readouterr().out
    assert not (tmp_path / "paper").exists()


def test_run_ids_stand_below_a_picture_on_request_only(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    sizes = []
    for words in ([], ["--footer"]):
        out = tmp_path / f"out{len(sizes)}"
        assert main([str(tmp_path), "--out", str(out), *words]) == 0
        sizes.append((out / "repeat_tokens/figures/copy_forest.png").read_bytes())
        sources = json.loads((out / "repeat_tokens/figures/copy_forest.json").read_text())
        assert [one["run_id"] for one in sources["runs"]] == [run.run_id]
    assert sizes[0] != sizes[1]


def test_no_picture_is_wider_than_was_requested(tmp_path: Path) -> None:
    for pools in POOLS:
        write_run(tmp_path, replace(SMALL, pools=pools))
    for words, inches in (("one", ONE_COLUMN), ("two", TWO_COLUMNS)):
        out = tmp_path / words
        assert main([str(tmp_path), "--out", str(out), "--width", words]) == 0
        widths = [struct.unpack(">I", path.read_bytes()[16:20])[0] for path in out.rglob("*.png")]
        assert max(widths) == round(inches * 200)
    assert widest() == TWO_COLUMNS  # as before


def test_experiments_of_ones_own_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_PATH", "")
    run = write_run(tmp_path / "results", SMALL)
    text = (run.folder / "manifest.json").read_text().replace('"repeat_tokens"', '"figures_of_mine"')
    (run.folder / "manifest.json").write_text(text)
    assert main([str(tmp_path / "results")]) == 2
    assert main([str(tmp_path / "results"), "--config-dir", str(tmp_path / "results")]) == 2
    (tmp_path / "mine/experiments").mkdir(parents=True)
    (tmp_path / "mine/experiments/figures_of_mine.py").write_text(_OWN)
    assert main([str(tmp_path / "results"), "--config-dir", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "results/paper/figures_of_mine/figures/gain.pdf").is_file()


_OWN = '''"""An experiment of one's own."""
from dataclasses import dataclass

from harness.reporting.display import Display
from harness.reporting.figures.across import Across, Quantity, Scale
from harness.runs.experiment import Experiment

@dataclass(frozen=True)
class Config:
    """No parameters."""

PAPER = Across("gain", "Gains.", (Quantity("common/copy_gain", "gain (nats)", Scale.DIFFERENCE),))
EXPERIMENT = Experiment(name="figures_of_mine", version=1, summary="mine", config=Config)
DISPLAY = Display(paper_figures=PAPER.figures, paper_tables=PAPER.tables)
'''


def test_pictures_across_equal_runs_are_equal_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        for seed in range(2):
            write_run(tmp_path / folder, replace(SMALL, seed=seed))
        draw_paper(tmp_path / folder)
    both = [(tmp_path / folder / "paper/repeat_tokens/figures/logprob_grid.pdf").read_bytes() for folder in "ab"]
    assert both[0] == both[1]


def test_figures_that_do_not_fit_are_left_out() -> None:
    assert paper.draw_grid([]) is None
    assert paper.draw_forest([]) is None
    assert paper.metrics_table([]) is None


def _with_counts(run: StoredRun, counts: dict[str, dict[str, float]]) -> StoredRun:
    """The run with training counts of the tokens of some pools."""
    path = run.folder / "details.json"
    details = json.loads(path.read_text())
    for pool, found in counts.items():
        details["pools"][pool]["exposures"] = {"text": 1.0, "repeats": 2.0, "tasks": 0.0, **found}
    path.write_text(json.dumps(details))
    return load_run(run.folder)


def test_pools_given_by_training_counts_become_a_dose_response(tmp_path: Path) -> None:
    pools = {
        "never": "natural:0:1", "few": "natural:1:17", "many": "natural:1000:", "ids": "5:9", "p0": "planted:0",
        "p4": "planted:4", "p64": "planted:64",
    }  # fmt: skip
    means = {"never": (0, 0, 0), "few": (7.5, 2, 16), "many": (3000, 1001, 9000), "ids": (3, 1, 9), "p0": (0, 0, 0),
             "p4": (4, 4, 4), "p64": (64, 64, 64)}  # fmt: skip
    counts = {pool: dict(zip(("mean", "low", "high"), found, strict=True)) for pool, found in means.items()}
    runs = [_with_counts(write_run(tmp_path, replace(SMALL, pools=pools, seed=seed)), counts) for seed in range(3)]
    found = doses(group_by_setting(runs), "copy_gain")
    # A curve for each kind of token, each pool at the mean of its own tokens; ids of a slice are on neither.
    assert {name: [point.dose.mean for point in points.values()] for name, points in found.items()} == {
        "natural tokens": [0, 7.5, 3000], "planted tokens": [0, 4, 64],
    }  # fmt: skip
    drawn = paper.draw_dose_response(runs)
    assert drawn is not None
    lines = {line.get_label(): line for line in drawn.canvas.axes[0].get_lines() if line.get_label()[0] != "_"}
    natural, planted = (lines[f"{kind} tokens"].get_xdata() for kind in ("natural", "planted"))
    assert natural[1:] == pytest.approx([7.5, 3000], rel=0.05)
    # Neither group hides the other where both were never shown.
    assert 0 < natural[0] < planted[0] < 1
    table = paper.metrics_table(runs)
    assert table is not None
    assert table.set_index("pool").loc["few", "shown (mean)"] == 7.5
    assert set(table["n"]) == {runs[0].metrics["few/n_tokens_told_apart"]}
    other = write_run(tmp_path, replace(SMALL, seed=4))  # its one dose is among those of the others
    draw_paper(tmp_path)
    sidecar = json.loads((tmp_path / "paper/repeat_tokens/figures/dose_response.json").read_text())
    assert [run["run_id"] for run in sidecar["runs"]] == [run.run_id for run in runs] != [other.run_id]
    assert paper.draw_dose_response([write_run(tmp_path / "other", SMALL)]) is None


def test_more_curves_than_colours_are_not_drawn_over_one_another(tmp_path: Path) -> None:
    many = {f"pool_{i}": f"{i}:{i + 1}" for i in range(9)}
    run = write_run(tmp_path, replace(SMALL, pools=many))
    assert paper.draw_grid([run]) is None
    assert paper.draw_forest([run]) is not None
    figure = paper.draw_grid([run, write_run(tmp_path, SMALL)])
    assert figure is not None and len(figure.axes) == 1


def _labels(figure: Any) -> list[str]:
    return [tick.get_text() for tick in figure.axes[0].get_yticklabels()]


def test_a_row_is_named_by_model_and_pool_and_by_the_spec_where_two_share_a_name(tmp_path: Path) -> None:
    long = "SmolLM2-135M-Instruct.Q4_1"
    halves = {"common_a": "common_part:1:2", "common_b": "common_part:2:2"}
    auto = {"unused": "auto", "common": "auto"}
    models = [replace(SMALL, model=long, pools=pools) for pools in (halves, auto)]
    runs = [write_run(tmp_path / "one", made) for made in models]
    # The question first, then the control; a model that all rows are of is named on none.
    assert _labels(paper.draw_forest(runs)) == [*auto, *halves]
    runs.append(write_run(tmp_path / "one", replace(SMALL, pools=auto)))
    # Nothing is cut out of the middle.
    assert _labels(paper.draw_forest(runs))[:4] == [f"{long}  {pool}" for pool in (*auto, *halves)]
    slices = {"unused": "177:188", "common": "100:111"}
    two = [write_run(tmp_path / "two", replace(SMALL, pools=pools)) for pools in (auto, slices)]
    assert _labels(paper.draw_forest(two)) == [
        "unused=auto", "common=auto", "unused=177:188", "common=100:111",
    ]  # fmt: skip


def test_columns_of_the_grid_are_named_apart_within_their_width(tmp_path: Path) -> None:
    halves = {"common_a": "common_part:1:2", "common_b": "common_part:2:2"}
    auto = {"unused": "auto", "common": "auto"}
    runs = [write_run(tmp_path, replace(SMALL, pools=pools)) for pools in (halves, auto)]
    figure = paper.draw_grid(runs)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["default pools", "common_a, common_b"]


def test_published_figures_stand_beside_the_measured_ones(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, replace(SMALL, seed=seed)) for seed in range(2)]
    for run in runs:
        run.config["reference"] = {
            "condition": "GPT-2 small, batch 1",
            "metrics": {"unused/logprob_first_half": -17.27},
        }
    table = paper.published_table(runs)
    assert table is not None
    (row,) = table.to_dict("records")
    measured = np.mean([run.metrics["unused/logprob_first_half"] for run in runs])
    assert (row["published"], row["measured"], row["seeds"]) == (-17.27, pytest.approx(measured), 2)
    assert row["measured minus published"] == pytest.approx(measured + 17.27)
    assert row["published for"] == "GPT-2 small, batch 1"
    for run in runs:
        run.config["reference"] = None
    assert paper.published_table(runs) is None


@pytest.mark.parametrize(
    ("mean", "low", "high", "text"),
    [(-1.0, None, None, "−1.00"), (5, None, None, "5"), (12_345, None, None, "12,345"), (0.0, 0.0, 0.1, "0.00"),
     (0.0014, 0.0003, 0.006, "0.0014"), (1.4e-7, None, None, "1.4e−7"), (-0.004, -0.5, 0.5, "0.00")],
)  # fmt: skip
def test_a_mean_is_written_with_digits_enough_and_none_that_say_nothing(
    mean: float | int, low: float | None, high: float | None, text: str
) -> None:
    assert value_text(mean, low, high) == text
