"""Pictures and tables across path_star runs: objectives by graphs, seeds as intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from experiments.path_star import data
from experiments.path_star.cells import Cell, Variant, cells, cut, over_seeds
from harness.measure.intervals import student_t
from harness.path_star.ways.roster import WAYS
from harness.reporting.display import DrawnFigure, PaperFigure, PaperTable
from harness.reporting.figures.charts import HeadMap, head_map_grid
from harness.reporting.figures.families import colour_of
from harness.reporting.figures.style import ONE_COLUMN, new_figure
from harness.reporting.figures.tables import interval_columns
from harness.reporting.figures.text import figure_text
from harness.runs.results.grouping import FEWEST_SEEDS
from harness.runs.results.stored_run import StoredRun

_ROW_INCHES = 0.17
EACH = "each seed"
"""The column with the value of every seed."""


def draw_bars(runs: Sequence[StoredRun]) -> DrawnFigure | None:
    """Exact match, a row for each graph and objective that was run, below the kind of model."""
    found = cells(runs)
    if not found:
        return None
    variants = list(dict.fromkeys(cell.variant for cell in found))
    ways = [way.name for way in WAYS.values() if any(cell.way is way for cell in found)]
    figure = new_figure(ONE_COLUMN, 0.75 + _ROW_INCHES * (len(found) + len(variants)))
    axes = figure.subplots()
    names: dict[int, str] = {}
    row = 0
    for variant in variants:
        here = [cell for cell in found if cell.variant == variant]
        heading = axes.annotate(
            figure_text(_heading(variant, here), 64), (0.01, row), xycoords=("figure fraction", "data"), va="center",
            fontsize=6.2, fontweight="bold",
        )  # fmt: skip
        heading.set_in_layout(False)
        for place, cell in enumerate(here, start=row + 1):
            names[place] = f"{cell.task} {cell.way.label}"
            _draw_cell(axes, place, cell, colour_of(cell.way.name, ways))
        row += 1 + len(here)
    axes.set_yticks(list(names), list(names.values()))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(row - 0.4, -0.6)
    axes.set_xlim(0, 1.22)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("exact match")
    handles: list[Any] = [
        Line2D([], [], color="black", linestyle="--", linewidth=0.8, label="chance, 1/d"),
        Line2D([], [], color="black", linestyle="", marker="o", markersize=2.2, markerfacecolor="white",
               markeredgewidth=0.6, label="one seed"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return DrawnFigure(figure, tuple(run for cell in found for run in cell.runs))


def _heading(variant: Variant, found: Sequence[Cell]) -> str:
    counts = sorted({len(cell.runs) for cell in found})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{variant.words}; {seeds} seed{'s' * (counts[-1] > 1)}"


def _draw_cell(axes: Axes, row: int, cell: Cell, colour: str) -> None:
    value = over_seeds(cell, "exact_match")
    if value.mean is None:
        return
    axes.barh(row, value.mean, 0.72, color=colour, alpha=0.75)
    if value.low is not None and value.high is not None:
        axes.plot([value.low, value.high], [row, row], color="black", linewidth=0.9)
    seeds = cell.values("exact_match")
    places = [row + (at - (len(seeds) - 1) / 2) * 0.5 / max(len(seeds), 3) for at in range(len(seeds))]
    axes.plot(seeds, places, "o", color="black", markersize=2.2, markerfacecolor="white", markeredgewidth=0.6,
              clip_on=False, zorder=4)  # fmt: skip
    axes.plot([1 / cell.graph[0]] * 2, [row - 0.5, row + 0.5], "--", color="black", linewidth=0.8, zorder=3)
    axes.text(1.21, row, f"{value.mean:.2f}", ha="right", va="center", fontsize=5.5)


def draw_lookup(runs: Sequence[StoredRun]) -> DrawnFigure | None:
    """Attention of every head to the right edge: a column for each objective, on the graph that most have."""
    chosen = _compared([cell for cell in cells(runs) if data.has_heads(cell.runs[0])])
    if len(chosen) < 2:
        return None

    first = [cell.runs[0] for cell in chosen]
    attention = [data.lookup(run, "parent") + data.lookup(run, "child") for run in first]
    rows = [[HeadMap(cell.way.label, both[..., 0]) for cell, both in zip(chosen, attention, strict=True)]]
    labels = ["second node"]
    if chosen[0].graph[1] > 2:
        rows.append([HeadMap("", both[..., 1:].max(axis=-1)) for both in attention])
        labels.append("later nodes")
    uniform = 2 * float(first[0].arrays["edge_lookup/uniform"].mean())
    scale = f"mean attention to both nodes of the right edge (looking everywhere equally: {uniform:.3f})"
    figure = head_map_grid(rows, labels, data.layers(first[0]), scale)
    for axes, cell in zip(figure.axes, chosen, strict=False):
        # Six columns leave room for one word a line.
        axes.set_title(cell.way.label.replace(" ", "\n"))
    title = f"{chosen[0].task}, {chosen[0].variant.words}"
    figure.suptitle(title.replace("$", r"\$"), fontsize=7, x=0.01, ha="left")
    return DrawnFigure(figure, tuple(first))


def _compared(found: Sequence[Cell]) -> list[Cell]:
    """The cells of one variant and graph, those with most objectives; of several such the largest graph."""
    groups: dict[tuple[Variant, tuple[int, int], tuple[int, ...]], list[Cell]] = {}
    for cell in found:
        shape: np.ndarray = data.lookup(cell.runs[0], "parent")
        groups.setdefault((cell.variant, cell.graph, shape.shape), []).append(cell)
    return max(groups.values(), key=lambda members: (len(members), members[0].graph), default=[])


def exact_match_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """Exact match of every cell over its seeds, compared with chance."""
    rows = []
    for cell in cells(runs):
        row = _who(cell) | interval_columns("exact match", over_seeds(cell, "exact_match"))
        row |= {"seeds": len(cell.runs), "chance": 1 / cell.graph[0]}
        row[EACH] = _values_of(cell, "exact_match")
        row |= {"steps, fewest": min(cell.steps, default=None), "steps, most": max(cell.steps, default=None)}
        rows.append(row)
    return _framed(rows)


def clever_hans_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """Every test of the cheat that applies, mean over seeds."""
    rows = []
    for cell in cells(runs):
        for test in data.cheat_tests(cell.way):
            value = over_seeds(cell, test.metric)
            if value.mean is not None:
                row = _who(cell) | {"test": test.label} | interval_columns("share of graphs", value)
                rows.append(row | {"seeds": len(cell.values(test.metric)), EACH: _values_of(cell, test.metric)})
    return _framed(rows)


_LOOKUPS = {
    "edge_lookup/score": "where a node is predicted, to the edge that leads to it",
    "edge_lookup/question_score": "the goal in the question, to the edge that ends there",
}


def lookup_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """The best head's mean attention to the right edge, from both places, mean over seeds."""
    rows = []
    for cell in cells(runs):
        for metric, words in _LOOKUPS.items():
            value = over_seeds(cell, metric)
            if value.mean is not None:
                row = _who(cell) | {"from": words} | interval_columns("attention", value)
                heads = _heads_of(cell, metric.replace("score", "head"), metric)
                rows.append(row | {"seeds": len(cell.values(metric)), EACH: heads})
    return _framed(rows)


def _values_of(cell: Cell, metric: str) -> str:
    return ", ".join(f"{value:.3f}" for value in cell.values(metric))


def _heads_of(cell: Cell, head: str, score: str, node: str = "") -> str:
    """`1.3: 0.66 (first step), ...`: head and score of every run that has the score."""
    found = []
    for metrics in (run.metrics for run in cell.runs):
        if metrics.get(score) is not None:
            name = metrics.get(head) or "none"
            where = f" ({metrics[node]})" if metrics.get(node) else ""
            found.append(f"{name}: {metrics[score]:.2f}{where}")
    return ", ".join(found)


def knock_out_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """What the most needed head costs, mean over seeds, and which head that is in each."""
    rows = []
    for cell in cells(runs):
        costs = cell.values("knock_out/cost")
        if not costs:
            continue
        # No share of graphs but a difference of two, so a seed has no interval of its own.
        few = len(costs) < FEWEST_SEEDS
        lost = data.Share(float(np.mean(costs)), None, None) if few else cut(student_t(np.array(costs)), -1.0)
        ends = interval_columns("share right, lost", lost)
        heads = _heads_of(cell, "knock_out/head", "knock_out/cost", "knock_out/node")
        rows.append(_who(cell) | ends | {"seeds": len(costs), EACH: heads})
    return _framed(rows)


def positions_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """Every node of the answer, generated and with the truth before it, mean over seeds."""
    rows = []
    for cell in cells(runs):
        for number, name in enumerate(data.nodes(cell.runs[0]), start=1):
            row = _who(cell) | {"node": number, "which": name}
            for how in ("generated", "teacher_forced"):
                value = over_seeds(cell, f"position_{number}/{how}")
                row |= interval_columns(how.replace("_", "-"), value)
            rows.append(row | {"seeds": len(cell.runs)})
    return _framed(rows)


def _who(cell: Cell) -> dict[str, Any]:
    variant = cell.variant
    return {
        "model": variant.model,
        "node numbers": variant.n_values,
        "setting": variant.other,
        "graph": cell.task,
        "objective": cell.way.label,
    }


def _framed(rows: Sequence[dict[str, Any]]) -> pd.DataFrame | None:
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    whole = [name for name in frame.columns if name.startswith("steps")]
    frame = frame.astype(dict.fromkeys(whole, "Int64"))
    return frame if frame["setting"].any() else frame.drop(columns="setting")


_INTERVALS = (
    "Means over seeds, of three and more with 95 % Student t intervals, cut at 0 and 1; Wilson over graphs for one "
    "seed, and for seeds that agree exactly."
)

PAPER_FIGURES = (
    PaperFigure(
        "path_star_table",
        "Share of held-out graphs whose whole answer is right, by graph G(d, l), of d arms of l nodes, and objective, "
        f"below the kind of model. {_INTERVALS} Dots are seeds, dashed lines chance among the arms.",
        draw_bars,
    ),
    PaperFigure(
        "edge_lookup",
        "Mean attention of every head to both nodes of the edge that leads to a predicted node, for the answer's "
        "second node (which decides the arm when the answer begins with the start) and the highest of the later ones; "
        "the first seed of each objective.",
        draw_lookup,
    ),
)
PAPER_TABLES = (
    PaperTable("path_star_table", f"Exact match by model, graph and objective. {_INTERVALS}", exact_match_table),
    PaperTable("clever_hans", f"Tests of the cheat by model, graph and objective. {_INTERVALS}", clever_hans_table),
    PaperTable("edge_lookup", f"The best head's attention to the right edge. {_INTERVALS}", lookup_table),
    PaperTable(
        "knock_out",
        "The head that is needed most: the largest share right, the truth before a node, that is lost when one head's "
        "output is replaced by its mean. Means over seeds, of three and more with 95 % Student t intervals, cut at -1 "
        "and 1.",
        knock_out_table,
    ),
    PaperTable(
        "positions",
        f"Share right at every node of the answer, generated and with the truth before it. {_INTERVALS}",
        positions_table,
    ),
)
