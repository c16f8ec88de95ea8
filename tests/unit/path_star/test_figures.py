"""Pictures and tables of path_star and its training, from made-up runs."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.path_star import data, display, figures, paper, tables
from experiments.path_star.cells import cells, over_seeds
from experiments.train_path_star.figures import draw_curve
from harness.path_star.recipe import Architecture
from harness.path_star.ways.roster import WAYS
from harness.reporting.display import load_display
from harness.reporting.figures.drawing import draw_run
from harness.reporting.figures.paper import draw_paper
from harness.reporting.figures.style import paper_style
from harness.runs.folder import RunFolder
from harness.runs.results.stored_run import StoredRun, load_run
from tests.unit.path_star.stored_runs import Made, write_run

pytestmark = pytest.mark.unit

HEADS = {"edge_lookup", "knock_out", "attention_patterns"}
FIRST_ONLY = "first_only"


def test_nodes_are_named_in_the_order_of_the_answer() -> None:
    node_names = WAYS["teacher_forcing"].node_names
    assert node_names(2) == ("start", "goal")
    assert node_names(3) == ("start", "first step", "goal")
    assert node_names(5) == ("start", "first step", "step 2", "step 3", "goal")
    assert WAYS["reversed"].node_names(5) == ("goal", "step 3", "step 2", "first step", "start")


@pytest.mark.parametrize("objective", [name for name in WAYS if name != FIRST_ONLY])
@pytest.mark.parametrize("graph", [(2, 2), (2, 4), (3, 8)])
def test_every_objective_and_length_is_drawn(tmp_path: Path, objective: str, graph: tuple[int, int]) -> None:
    run = write_run(tmp_path, Made(graph=graph, objective=objective))
    for figure in figures.FIGURES:
        with paper_style():
            drawn = figure.draw(run)
            assert drawn is not None
            drawn.canvas.draw()
    for table in tables.TABLES:
        frame = table.build(run)
        assert frame is not None and len(frame)
    assert len(display.headline(run)) == 1


def test_a_model_without_attention_has_no_pictures_of_heads(tmp_path: Path) -> None:
    made = Made(heads=False, recipe={"architecture": Architecture.MAMBA})
    run = write_run(tmp_path, made)
    written = draw_run(run, load_display("path_star"), RunFolder(run.folder))
    assert not HEADS & set(written)
    assert {"positions", "clever_hans", "models"} <= set(written)
    assert figures.panels(run) == []
    assert data.model_label(run) == "Mamba 3×128"


def test_the_tables_hold_what_was_measured(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(exact=0.5, n_test=80, first_only=0.375))
    frame = tables.positions(run)
    assert list(frame["node"]) == ["all right", "start", "first step", "step 2", "goal"]
    assert list(frame["generated"]) == [0.5, 1.0, 0.5, 1.0, 1.0]
    assert bool(frame["teacher-forced"].isna()[0]) and frame["teacher-forced"][2] == 0.5
    assert list(frame["generated ci_low"])[:2] == [0.46, 0.96] and set(frame["graphs"]) == {80}
    cheat = tables.clever_hans(run).set_index("test")
    assert cheat.loc["first step right, trained on it alone", "share of graphs"] == 0.375
    assert cheat.loc["wrong arm given: walks it to its leaf", "share of graphs"] == 0.2
    assert cheat.loc["first step right", "chance"] == 0.5 and "remark" not in cheat
    lookup = tables.edge_lookup(run)
    assert lookup is not None
    assert set(lookup["head"]) == {"1.0"} and set(lookup["on the edge"]) == {0.75}
    assert set(lookup["most needed head"]) == {"0.0"}
    assert lookup["lost without that"].tolist() == pytest.approx([0.8] * len(lookup))
    assert lookup["lost without it"].tolist() == pytest.approx([0.32] * len(lookup))
    assert list(tables.models(run)["training run"]) == ["train_path_star/trained1"]


def test_the_head_that_is_needed_most_is_named_for_every_seed(tmp_path: Path) -> None:
    runs = _replicates(tmp_path, [0.5, 0.4])
    frame = paper.knock_out_table(runs)
    assert frame is not None
    (row,) = frame.to_dict("records")
    lost = [run.metrics["knock_out/cost"] for run in runs]
    assert row["share right, lost"] == pytest.approx(sum(lost) / 2)
    each = [f"0.0: {value:.2f} (first step)" for value in lost]
    assert row["seeds"] == 2 and row[paper.EACH] == ", ".join(each)
    assert paper.knock_out_table([write_run(tmp_path, Made(heads=False, recipe={"n_layers": 2}))]) is None


def test_the_heads_of_a_scratchpad_are_those_that_write_it(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(objective="scratchpad"))
    assert data.nodes(run) == ("start", "first step", "step 2", "goal")
    lookup = tables.edge_lookup(run)
    assert lookup is not None and list(lookup["predicted node"]) == ["step 2", "first step", "start"]


def test_what_does_not_apply_is_named_and_has_no_number(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(objective="teacherless"))
    cheat = tables.clever_hans(run).set_index("test")
    given = cheat.loc["first step given: the rest right"]
    assert bool(given[["share of graphs", "graphs"]].isna().all())
    assert given["remark"] == "does not apply: the model reads no answer"
    drawn = figures.draw_clever_hans(run)
    said = [text.get_text() for text in drawn.axes[0].texts]
    assert said.count("does not apply: the model reads no answer") == 4
    assert "no such model was trained" in said


def test_chance_stands_only_beside_what_can_be_guessed(tmp_path: Path) -> None:
    drawn = figures.draw_clever_hans(write_run(tmp_path, Made(graph=(4, 4), first_only=0.25)))
    dashed = [line for line in drawn.axes[0].lines if line.get_linestyle() == "--"]
    assert [set(np.asarray(line.get_xdata()).tolist()) for line in dashed] == [{0.25}, {0.25}]


def test_the_edges_are_framed_where_they_are_listed(tmp_path: Path) -> None:
    drawn = figures.draw_patterns(write_run(tmp_path))
    assert drawn is not None
    frames = [(patch.get_x(), patch.get_y(), patch.get_width()) for patch in drawn.axes[0].patches]  # type: ignore[attr-defined]
    assert frames == [(-0.5, 0.5, 2), (2.5, 1.5, 2), (5.5, 2.5, 2)]


def test_as_text_the_parent_stands_before_the_comma(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    run.details["example"] |= {"tokens": ["4", ",", "1", "2", "|", "1", "2", ",", "7"], "edges": [3, 8]}
    assert data.right_edges(run) == [(0, 3), (6, 8)]


def _replicates(folder: Path, values: list[float], **asked: Any) -> list[StoredRun]:
    recipe = asked.pop("recipe", {})
    return [
        write_run(folder, Made(exact=value, seed=number, recipe=recipe | {"replicate": number}, **asked))
        for number, value in enumerate(values)
    ]


def test_seeds_become_a_mean_with_students_interval(tmp_path: Path) -> None:
    runs = _replicates(tmp_path, [0.4, 0.5, 0.6])
    frame = paper.exact_match_table(runs)
    assert frame is not None and len(frame) == 1
    row = frame.iloc[0]
    # Mean 0.5, standard deviation 0.1, Student's quantile 4.302653 with 2 degrees of freedom.
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert row["exact match"] == pytest.approx(0.5)
    assert row["exact match ci_low"] == pytest.approx(0.5 - half, abs=1e-6)
    assert row["exact match ci_high"] == pytest.approx(0.5 + half, abs=1e-6)
    assert (row["seeds"], row["chance"], row["steps, fewest"], row["steps, most"]) == (3, 0.5, 3998, 4000)


def test_an_interval_over_seeds_ends_at_one_and_agreement_is_no_proof(tmp_path: Path) -> None:
    (cell,) = cells(_replicates(tmp_path / "a", [0.9, 1.0, 1.0]))
    assert over_seeds(cell, "exact_match").high == 1.0
    # Two seeds have no interval: Student's would reach from one end to the other.
    (cell,) = cells(_replicates(tmp_path / "d", [0.9, 1.0]))
    assert over_seeds(cell, "exact_match") == data.Share(pytest.approx(0.95), None, None)
    (cell,) = cells(_replicates(tmp_path / "b", [1.0, 1.0, 1.0]))
    value = over_seeds(cell, "exact_match")
    # Wilson with 300 of 300: 300 / (300 + 1.96 squared).
    assert value.low == pytest.approx(300 / (300 + 1.959964**2), abs=1e-6) and value.high == 1.0
    (cell,) = cells(_replicates(tmp_path / "c", [0.5]))
    assert over_seeds(cell, "exact_match") == data.Share(0.5, 0.46, 0.54)


def test_other_sizes_and_recipes_are_not_averaged_together(tmp_path: Path) -> None:
    runs = [
        *_replicates(tmp_path, [0.5, 0.6]),
        *_replicates(tmp_path, [0.1], recipe={"n_layers": 5}),
        *_replicates(tmp_path, [0.2], recipe={"n_values": 60}),
        *_replicates(tmp_path, [0.3], recipe={"n_steps": 900}),
        write_run(tmp_path, Made(exact=0.7, recipe={"checkpoint": "/far/away/model_b"})),
    ]
    found = {cell.variant.label: [run.metrics["exact_match"] for run in cell.runs] for cell in cells(runs)}
    assert {cell.variant.words for cell in cells(runs)} >= {"GPT-2 3×128, 50 node numbers, 900 steps"}
    assert found == {
        "GPT-2 3×128, 50 node numbers, n_steps=4000": [0.5, 0.6],
        "GPT-2 3×128, 50 node numbers, n_steps=900": [0.3],
        "GPT-2 3×128, 60 node numbers": [0.2],
        "GPT-2 5×128, 50 node numbers": [0.1],
        "GPT-2, checkpoint model_b, 50 node numbers": [0.7],
    }


def test_budgets_may_differ_between_graphs(tmp_path: Path) -> None:
    runs = [
        *_replicates(tmp_path, [0.5], recipe={"n_steps": 500}),
        *_replicates(tmp_path, [0.5], graph=(2, 5), recipe={"n_steps": 900}),
    ]
    assert {cell.variant.label for cell in cells(runs)} == {"GPT-2 3×128, 50 node numbers"}


def test_the_same_model_asked_twice_is_one_seed(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, Made(exact=0.5 + 0.1 * seed, seed=seed, n_test=100 + seed)) for seed in range(2)]
    # A replicate is all three seeds raised by one: the same training under another name.
    raised = {"graph_seed": 1, "weights_seed": 1, "order_seed": 1}
    runs += [write_run(tmp_path, Made(exact=0.3, recipe=how)) for how in (raised, {"replicate": 1})]
    (cell,) = cells(runs)
    assert [run.metrics["exact_match"] for run in cell.runs] == [0.6, 0.3]


def test_a_model_trained_on_the_first_step_alone_is_no_cell(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, Made(objective=FIRST_ONLY))]
    assert cells(runs) == []
    assert paper.draw_bars(runs) is None and paper.exact_match_table(runs) is None
    assert paper.draw_lookup(runs) is None


def test_bars_stand_by_graph_and_objective_and_none_where_nothing_was_run(tmp_path: Path) -> None:
    runs = [
        *_replicates(tmp_path, [0.5, 0.4], graph=(2, 3)),
        *_replicates(tmp_path, [0.9], graph=(2, 3), objective="reversed"),
        *_replicates(tmp_path, [0.8], graph=(3, 5), objective="reversed"),
    ]
    drawn = paper.draw_bars(list(reversed(runs)))
    assert drawn is not None
    (axes,) = drawn.canvas.axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["G(2,3) teacher forcing", "G(2,3) reversed", "G(3,5) reversed"]
    assert [round(bar.get_width(), 2) for bar in axes.patches] == [0.45, 0.9, 0.8]  # type: ignore[attr-defined]
    dashed = [np.asarray(line.get_xdata())[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == [0.5, 0.5, pytest.approx(1 / 3)]
    assert axes.texts[0].get_text() == "GPT-2 3×128, 50 node numbers; 1 to 2 seeds"


def test_heads_are_compared_on_the_graph_that_most_objectives_have(tmp_path: Path) -> None:
    runs = [
        *_replicates(tmp_path, [0.5, 0.4], graph=(2, 3)),
        *_replicates(tmp_path, [0.9], graph=(2, 3), objective="reversed"),
        *_replicates(tmp_path, [0.8], graph=(3, 5), objective="reversed"),
    ]
    drawn = paper.draw_lookup(runs)
    assert drawn is not None
    shown = {(run.details["task"], run.details["objective"]) for run in drawn.runs}
    assert shown == {("G(2,3)", "teacher_forcing"), ("G(2,3)", "reversed")}
    assert paper.draw_lookup(runs[:2]) is None


def test_the_paper_is_written_from_stored_runs(tmp_path: Path) -> None:
    _replicates(tmp_path, [0.5, 0.4], objective="teacherless")
    _replicates(tmp_path, [0.5], recipe={"architecture": Architecture.MAMBA}, heads=False)
    drawn = draw_paper(tmp_path)
    assert {item.path.stem for item in drawn} == {"path_star_table", "clever_hans", "knock_out", "positions"}
    text = (tmp_path / "paper/path_star/tables/clever_hans.csv").read_text()
    # Five tests have no meaning or no model for the teacherless one.
    assert text.count("teacherless") == 2


def _training(folder: Path, points: list[dict[str, float]], objective: str) -> StoredRun:
    """A made-up run of train_path_star with this curve."""
    made = write_run(folder, Made(graph=(2, 3), objective=objective))
    written = RunFolder(made.folder)
    written.write_text("records.jsonl", "".join(json.dumps(point) + "\n" for point in points))
    details = {"task": "G(2,3)", "objective": objective, "architecture": "gpt2", "steps": 20, "is_solved": False}
    written.write_json("details.json", details)
    return load_run(made.folder)


def test_a_training_names_its_nodes_and_may_be_too_short_for_a_loss(tmp_path: Path) -> None:
    probe = {"step": 20, "exact_match": 0.5, "position_1": 1.0, "position_2": 0.5, "position_3": 0.75}
    run = _training(tmp_path / "a", [probe], "reversed")
    drawn = draw_curve(run)
    assert drawn is not None
    loss, right = drawn.axes
    assert "too short" in loss.texts[0].get_text()
    heights = {str(line.get_label()): float(np.asarray(line.get_ydata())[0]) for line in right.lines}
    guess = {"a guess among the arms: 0.5": 0.5}
    assert heights == {"goal": 1.0, "first step": 0.5, "start": 0.75, "whole answer": 0.5} | guess
    assert draw_curve(_training(tmp_path / "b", [], "reversed")) is None
    with_loss = _training(tmp_path / "c", [{"step": 25, "loss": 2.0}, probe], "teacher_forcing")
    drawn = draw_curve(with_loss)
    assert drawn is not None and np.asarray(drawn.axes[0].lines[0].get_ydata()).tolist() == [2.0]
