"""Pictures of one dataset_prevalence run, from its stored files."""

from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.layout import legend_below, name_rows
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, new_figure
from harness.reporting.figures.text import figure_text
from harness.runs.results.stored_run import StoredRun

_MOST_BARS = 20


def draw_most_frequent(run: StoredRun) -> MatplotlibFigure | None:
    """The most frequent glitch tokens: occurrences, and documents they occur in."""
    records = run.records
    if not len(records):
        return None

    top = records.head(_MOST_BARS)
    figure = new_figure(ONE_COLUMN * 1.3, 0.9 + 0.17 * len(top))
    axes = figure.subplots()
    places = range(len(top))
    axes.barh(places, top["tokens"], height=0.72, color=COLOURS[5], label="occurrences")
    axes.plot(top["documents"], places, "o", color=COLOURS[0], markersize=3, label="documents it occurs in")
    name_rows(axes, [f"{figure_text(text)}  ({i})" for text, i in zip(top["token"], top["id"], strict=True)])
    if top["tokens"].max() > 50 * max(int(top["documents"].min()), 1):
        axes.set_xscale("log")
        axes.set_xlim(left=0.5)
        axes.set_xlabel("number in the data set (log scale)")
    else:
        axes.set_xlim(left=0)
        axes.set_xlabel("number in the data set")
    legend_below(figure, axes, 2)
    return figure


def draw_spread(run: StoredRun) -> MatplotlibFigure | None:
    """How few tokens make up most occurrences: the cumulated share against the rank."""
    records = run.records
    if len(records) < 3:
        return None

    counts = records["tokens"].to_numpy()
    figure = new_figure()
    axes = figure.subplots()
    axes.plot(range(1, len(counts) + 1), counts.cumsum() / counts.sum(), color=COLOURS[1], drawstyle="steps-post")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("glitch tokens, most frequent first")
    axes.set_ylabel("share of all occurrences")
    return figure


FIGURES = (
    Figure(
        "most_frequent",
        f"The most frequent glitch tokens (at most {_MOST_BARS}), with their ids: how often each occurs, and in how "
        "many documents.",
        draw_most_frequent,
    ),
    Figure(
        "spread",
        "How few glitch tokens make up most of the occurrences.",
        draw_spread,
    ),
)
