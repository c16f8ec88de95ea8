"""Pictures and tables across path_star runs: objectives by graphs, seeds as intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.path_star import data
from experiments.path_star.cells import Cell, Variant, cells, cut, over_seeds
from harness.measure.intervals import student_t
from harness.path_star.ways.roster import WAYS
from harness.path_star.ways.way import Way
from harness.reporting.display import DrawnFigure, PaperFigure, PaperTable
from harness.reporting.figures.charts import HeadMap, head_map_grid, short_share
from harness.reporting.figures.families import colour_of
from harness.reporting.figures.style import ONE_COLUMN, TWO_COLUMNS, new_figure
from harness.reporting.figures.tables import interval_columns
from harness.reporting.figures.text import figure_text
from harness.runs.results.stored_run import StoredRun

_ROOM_FOR_VALUES = 36
"""Bars over the width of a page that still have room for a value above them."""
EACH = "each seed"
"""The column with the value of every seed."""


def draw_bars(runs: Sequence[StoredRun]) -> DrawnFigure | None:
    """Exact match by graph and objective, a panel for each kind of model."""
    found = cells(runs)
    if not found:
        return None

    variants = list(dict.fromkeys(cell.variant for cell in found))
    graphs = sorted({cell.graph for cell in found})
    ways = [way for way in WAYS.values() if any(cell.way is way for cell in found)]
    width = ONE_COLUMN if len(graphs) * len(ways) <= 6 else TWO_COLUMNS
    figure = new_figure(width, 1.55 * len(variants) + 0.85)
    grid = figure.subplots(len(variants), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axes, variant in zip(grid, variants, strict=True):
        here = [cell for cell in found if cell.variant == variant]
        _draw_panel(axes, here, graphs, ways)
        _name_panel(axes, variant, here, int(19 * width))
    grid[-1].set_xticks(range(len(graphs)), [f"G({d},{length})" for d, length in graphs])
    grid[-1].set_xlim(-0.5, len(graphs) - 0.5)
    grid[-1].set_xlabel("graph G(d, l): d arms of l nodes")
    grid[0].set_ylim(0, 1.13)
    grid[0].set_yticks([0, 0.25, 0.5, 0.75, 1])
    _legend(figure, ways)
    return DrawnFigure(figure, tuple(run for cell in found for run in cell.runs))


def _draw_panel(
    axes: Axes, found: Sequence[Cell], graphs: Sequence[tuple[int, int]], ways: Sequence[type[Way]]
) -> None:
    width = 0.84 / len(ways)
    # There are more objectives than colours: colours are assigned among the objectives drawn.
    names = [way.name for way in ways]
    for cell in found:
        x = graphs.index(cell.graph) + (ways.index(cell.way) - (len(ways) - 1) / 2) * width
        value = over_seeds(cell, "exact_match")
        if value.mean is None:
            continue
        axes.bar(x, value.mean, 0.9 * width, color=colour_of(cell.way.name, names), alpha=0.75)
        tops = [value.mean]
        if value.low is not None and value.high is not None:
            axes.plot([x, x], [value.low, value.high], color="black", linewidth=0.9)
            tops.append(value.high)
        seeds = cell.values("exact_match")
        places = [x + (at - (len(seeds) - 1) / 2) * 0.6 * width / max(len(seeds), 3) for at in range(len(seeds))]
        axes.plot(places, seeds, "o", color="black", markersize=2.2, markerfacecolor="white", markeredgewidth=0.6,
                  clip_on=False, zorder=4)  # fmt: skip
        if len(graphs) * len(ways) <= _ROOM_FOR_VALUES:
            axes.text(
                x, max(*tops, *seeds) + 0.035, short_share(value.mean), ha="center", va="bottom", fontsize=5.5,
                zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
            )  # fmt: skip
    for at, (degree, _) in enumerate(graphs):
        if any(cell.graph == graphs[at] for cell in found):
            axes.plot([at - 0.46, at + 0.46], [1 / degree] * 2, "--", color="black", linewidth=0.8, zorder=3)


def _name_panel(axes: Axes, variant: Variant, found: Sequence[Cell], letters: int) -> None:
    counts = sorted({len(cell.runs) for cell in found})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    title = f"{variant.label}; {seeds} seed{'s' * (counts[-1] > 1)}"
    axes.set_title(figure_text(title, letters), loc="left")
    axes.set_ylabel("exact match")


def _legend(figure: Figure, ways: Sequence[type[Way]]) -> None:
    names = [way.name for way in ways]
    handles: list[Any] = [Patch(color=colour_of(way.name, names), alpha=0.75, label=way.label) for way in ways]
    handles += [
        Line2D([], [], color="black", linestyle="--", linewidth=0.8, label="chance, 1/d"),
        Line2D([], [], color="black", linestyle="", marker="o", markersize=2.2, markerfacecolor="white",
               markeredgewidth=0.6, label="one seed"),
    ]  # fmt: skip
    columns = 2 if figure.get_figwidth() < 5 else min(len(handles), 4)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


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
    title = f"{chosen[0].task}, {chosen[0].variant.label}"
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
        # No share of graphs but a difference of two, so one seed has no interval.
        lost = cut(student_t(np.array(costs, dtype=np.float64)), -1.0)
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
    "Means over seeds with 95 % Student t intervals, cut at 0 and 1; Wilson over graphs for one seed, and for seeds "
    "that agree exactly."
)

PAPER_FIGURES = (
    PaperFigure(
        "path_star_table",
        "Share of held-out graphs whose whole answer is right, by graph and objective, a panel for each kind of model. "
        f"{_INTERVALS} Dots are seeds, dashed lines chance among the arms; an empty place was not run.",
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
        "output is replaced by its mean. Means over seeds with 95 % Student t intervals, cut at -1 and 1.",
        knock_out_table,
    ),
    PaperTable(
        "positions",
        f"Share right at every node of the answer, generated and with the truth before it. {_INTERVALS}",
        positions_table,
    ),
)
