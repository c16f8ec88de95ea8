"""Pictures of one token_audit run, from its stored files."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.token_audit.tables import KINDS
from harness.reporting.display import Figure
from harness.reporting.figures.families import colour_of
from harness.reporting.figures.layout import name_rows
from harness.reporting.figures.style import TWO_COLUMNS, new_figure
from harness.runs.results.stored_run import StoredRun


def draw_categories(run: StoredRun) -> MatplotlibFigure | None:
    """How many ids are of each kind, and where in the vocabulary they are."""
    if run.records.empty:
        return None
    present = [name for name in KINDS if (run.records["category"] == name).any()]
    figure = new_figure(TWO_COLUMNS, 0.9 + 0.27 * len(present))
    counts, places = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    _draw_counts(counts, run, present)
    _draw_places(places, run, present)
    return figure


def _draw_counts(axes: Axes, run: StoredRun, present: list[str]) -> None:
    categories = run.records["category"]
    for row, name in enumerate(present):
        n = int((categories == name).sum())
        axes.barh(row, n - 0.5, height=0.62, left=0.5, color=colour_of(name, list(KINDS)))
        axes.text(n * 1.2, row, f"{n:,}", va="center", fontsize=6.5)
    name_rows(axes, [KINDS[name] for name in present])
    axes.set_xscale("log")
    axes.set_xlim(0.5, len(categories) * 12)
    axes.set_xlabel("ids (log scale)")


def _draw_places(axes: Axes, run: StoredRun, present: list[str]) -> None:
    for row, name in enumerate(present):
        ids = run.records.loc[run.records["category"] == name, "id"].to_numpy()
        colour = colour_of(name, list(KINDS))
        # Lines of one id each would be thousands; neighbours are drawn as one stretch.
        starts, ends = _stretches(ids)
        widths = [max(end - start, len(run.records) / 600) for start, end in zip(starts, ends, strict=True)]
        axes.broken_barh(list(zip(starts, widths, strict=True)), (row - 0.31, 0.62), color=colour, linewidth=0)
    axes.set_xlim(0, len(run.records))
    axes.set_xlabel("id (a mark is at least a pixel wide)")
    axes.tick_params(axis="y", length=0)


def _stretches(ids: object) -> tuple[list[int], list[int]]:
    """First ids and ends (exclusive) of the runs of consecutive ids."""
    array = np.asarray(ids, dtype=np.int64)
    breaks = np.flatnonzero(np.diff(array) != 1)
    starts = array[np.concatenate(([0], breaks + 1))]
    ends = array[np.concatenate((breaks, [len(array) - 1]))] + 1
    return starts.tolist(), ends.tolist()


FIGURES = (
    Figure(
        "categories",
        "How many ids are of each kind, and where in the vocabulary they are. Every id is of exactly one kind.",
        draw_categories,
    ),
)
