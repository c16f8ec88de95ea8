"""Pictures of one search, from its stored files."""

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.layout import legend_below
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, new_figure
from harness.runs.results.stored_run import StoredRun

_BINS = 40


def draw_price(run: StoredRun) -> MatplotlibFigure | None:
    """What is found and what is expected to be missed against what was spent."""
    if run.metrics.get("full") is None or not run.metrics["tokens_asked"]:
        return None
    arrays, full = run.arrays, run.metrics["full"]
    spent = 100 * arrays["step/spent"] / full
    confirmed, predicted = arrays["step/confirmed"], arrays["step/predicted"]
    missed, total = arrays["step/expected_missed"], arrays["step/expected_total"]
    n_search = len(spent) - bool(run.details["n_confirming"])
    figure = new_figure(TWO_COLUMNS, 2.7)
    left, right = figure.subplots(1, 2)
    for axes, series in (
        (left, (("found", confirmed + predicted, COLOURS[1], "-"), ("of these confirmed", confirmed, COLOURS[0], "--"),
                ("expected in all", total, QUIET, ":"))),
        (right, (("expected to be missed", missed, COLOURS[3], "-"),)),
    ):  # fmt: skip
        for label, values, colour, style in series:
            axes.plot(spent, values, style, color=colour, marker="o", markersize=2.5, label=label)
        if n_search < len(spent):
            axes.axvspan(spent[n_search - 1], spent[-1], color="#000000", alpha=0.06, linewidth=0, label="confirmation")
        axes.set_xlabel("tokens processed (% of asking every token)")
        axes.set_xlim(0, None)
        axes.set_ylim(0, None)
    if run.details["missed_below"] is not None:
        limit = run.details["missed_below"] * total
        right.plot(spent, limit, color=QUIET, linestyle=(0, (5, 3)), linewidth=0.8, label="limit of the stop rule")
    left.set_ylabel("tokens")
    right.set_ylabel("glitch tokens expected to be missed")
    handles, labels = left.get_legend_handles_labels()
    more = [pair for pair in zip(*right.get_legend_handles_labels(), strict=True) if pair[1] not in labels]
    figure.legend(
        [*handles, *(h for h, _ in more)], [*labels, *(name for _, name in more)],
        loc="outside lower center", ncols=3,
    )  # fmt: skip
    return figure


def draw_probability(run: StoredRun) -> MatplotlibFigure | None:
    """How P(glitch) is spread over the vocabulary."""
    if "probability" not in run.arrays:
        return None
    probability, fails = run.arrays["probability"], run.arrays["fails"]
    reported = run.arrays["reported"] == 1
    groups = {
        "asked, passed": (fails == 0, COLOURS[5]),
        "not asked, not reported": ((fails < 0) & ~reported, QUIET),
        "predicted": ((fails < 0) & reported, COLOURS[4]),
        "confirmed": (fails == 1, COLOURS[0]),
    }
    figure = new_figure(height=2.7)
    axes = figure.subplots()
    edges = np.linspace(0, 1, _BINS + 1)
    # Side by side, not stacked: on a logarithmic axis the upper part of a stack shows nothing.
    for label, (chosen, colour) in groups.items():
        if chosen.any():
            counts, _ = np.histogram(probability[chosen], edges)
            axes.stairs(np.where(counts > 0, counts, np.nan), edges, baseline=0.7, fill=True, color=colour, alpha=0.75,
                        label=f"{label} ({int(chosen.sum()):,})")  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(0.7, None)
    axes.set_xlim(0, 1)
    axes.set_xlabel("P(glitch)")
    axes.set_ylabel("tokens")
    legend_below(figure, axes, 2)
    return figure


FIGURES = (
    Figure(
        "price",
        "Left: tokens on the list, those of them that were asked and failed, and how many glitch tokens are expected "
        "in the vocabulary. Right: how many are expected to be missed, and the limit below which the search ends "
        "(twice in a row). Grey: the confirmation.",
        draw_price,
    ),
    Figure(
        "probability",
        "P(glitch) of every token of the vocabulary at the end: 1 or 0 for tokens that were asked.",
        draw_probability,
    ),
)
