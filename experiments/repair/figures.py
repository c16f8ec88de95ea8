"""Pictures of one repair run, from its stored files."""

from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.charts import IntervalRow, forest
from harness.reporting.figures.layout import error_lengths, legend_below
from harness.reporting.figures.style import COLOURS, MARKERS, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.figures.text import figure_text
from harness.runs.results.stored_run import StoredRun

_DASHES = (0, (4, 2))


def _kind(name: str) -> tuple[str, str]:
    """What is done, and where."""
    kind, _, where = name.partition("_")
    return kind, where


def draw_trade(run: StoredRun) -> MatplotlibFigure | None:
    """Repair against harm and against perplexity, one point a method."""
    names = [one["name"] for one in run.details["methods"]]
    if not names:
        return None
    kinds = list(dict.fromkeys(_kind(name)[0] for name in names))
    places = list(dict.fromkeys(_kind(name)[1] for name in names))
    aims = run.details["aims"]
    figure = new_figure(TWO_COLUMNS, 3.6)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, label in (
        (panels[0], "healthy_harmed", "healthy tokens harmed (share)"),
        (panels[1], "perplexity_change", "relative change of the perplexity"),
    ):
        for name in names:
            kind, where = _kind(name)
            x, y = run.interval(f"{name}/{key}"), run.interval(f"{name}/repair_rate")
            if x[0] is None or y[0] is None:
                continue
            axes.errorbar(
                [x[0]], [y[0]], xerr=_pair(x), yerr=_pair(y), fmt=MARKERS[places.index(where) % len(MARKERS)],
                color=COLOURS[kinds.index(kind) % len(COLOURS)], markersize=4, linewidth=0.8,
                label=figure_text(name, 30),
            )  # fmt: skip
        axes.axvline(aims[key], color=QUIET, linewidth=0.6, linestyle=_DASHES, zorder=0)
        axes.axhline(aims["repair_rate"], color=QUIET, linewidth=0.6, linestyle=_DASHES, zorder=0)
        axes.set_xscale("symlog", linthresh=0.01)
        axes.set_xlabel(label)
    panels[0].set_ylim(-0.04, 1.04)
    panels[0].set_ylabel("glitch tokens repaired (share)")
    legend_below(figure, panels[0], 4)
    return figure


def _pair(value: tuple[float, float | None, float | None]) -> list[list[float]]:
    below, above = error_lengths([value])
    return [below, above]


def draw_wordings(run: StoredRun) -> MatplotlibFigure | None:
    """What is repaired by agreement, and by how many wordings."""
    names = [one["name"] for one in run.details["methods"]]
    if not names:
        return None
    figure = new_figure(TWO_COLUMNS, 0.8 + 0.2 * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, key, label in (
        (left, "repair_rate", "passes one held-out wording at least (share of tokens)"),
        (right, "wordings_passed", "share of the held-out wordings passed"),
    ):
        rows = [IntervalRow(name, *run.interval(f"{name}/{key}")) for name in names]
        forest(axes, rows, label)
        axes.set_xlim(-0.02, 1.02)
    return figure


FIGURES = (
    Figure(
        "trade",
        "What each method repairs (share of held-out glitch tokens that pass a held-out wording) against what it "
        "harms: healthy tokens that fail more than without it (left), and the perplexity of running text (right; both "
        "linear up to 0.01, then logarithmic). 95 % intervals; dashes: what a method should reach.",
        draw_trade,
    ),
    Figure(
        "wordings",
        "Glitch tokens that pass at least one held-out wording, and the share of these wordings that they pass (95 % "
        "intervals).",
        draw_wordings,
    ),
)
