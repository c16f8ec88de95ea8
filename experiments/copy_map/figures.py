"""Pictures of one copy_map run, from its stored files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.copy_map.tables import COUNT_WORDS, kinds_shown
from experiments.copy_map.what_counts import COUNTS
from harness.measure.intervals import wilson
from harness.reporting.display import Figure
from harness.reporting.figures.layout import NEVER_SHOWN, error_lengths, exposure_axis, legend_below, name_rows
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.words import INDICATORS
from harness.runs.results.stored_run import StoredRun
from harness.tokens.kinds import LABELS

_MISSED, _COPIED = COLOURS[0], COLOURS[1]
_BINS = 50
_DASHES = (0, (4, 2))


def draw_histogram(run: StoredRun) -> MatplotlibFigure:
    """How likely tokens are where they must be copied: all of them, and those that are not copied."""
    logprob, missed = run.arrays["logprob"], run.arrays["not_copied"] == 1
    figure = new_figure(ONE_COLUMN * 1.2, 2.5)
    axes = figure.subplots()
    bins = np.linspace(min(float(logprob.min()), -1.0), 0, _BINS).tolist()
    axes.hist(logprob, bins=bins, color=QUIET, alpha=0.5, label=f"all tokens ({len(logprob):,})")
    if missed.any():
        axes.hist(logprob[missed], bins=bins, color=_MISSED, label=f"not copied ({int(missed.sum()):,})")
    axes.set_yscale("log")
    for threshold in run.details["thresholds"]:
        axes.axvline(threshold, color=QUIET, linewidth=0.6, linestyle=_DASHES)
    axes.set_xlabel("log-prob where the token must be copied (nats)")
    axes.set_ylabel("tokens")
    legend_below(figure, axes, 2)
    return figure


def draw_kinds(run: StoredRun) -> MatplotlibFigure | None:
    """Every kind of token: how its log-probs are spread, and how many of it are not copied."""
    kinds = kinds_shown(run)
    if run.records.empty or not kinds:
        return None
    figure = new_figure(TWO_COLUMNS, 0.8 + 0.26 * len(kinds))
    spread, share = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    values = [run.records.loc[run.records["kind"] == kind.value, "logprob"].to_numpy() for kind in kinds]
    _draw_spread(spread, values)
    for row, kind in enumerate(kinds):
        mean, low, high = run.interval(f"kind/{kind.value}/not_copied_share")
        share.plot(mean, row, "o", color=_MISSED, markersize=3.5)
        if low is not None:
            share.plot([low, high], [row, row], color=_MISSED, linewidth=1.2)
    share.set_xlim(-0.03, 1.03)
    share.set_xlabel("share not copied")
    share.tick_params(axis="y", length=0)
    counts = [int(run.metrics[f"kind/{kind.value}/n"]) for kind in kinds]
    name_rows(spread, [f"{LABELS[kind]} ({n:,})" for kind, n in zip(kinds, counts, strict=True)])
    return figure


def _draw_spread(axes: Axes, values: list[np.ndarray]) -> None:
    for row, some in enumerate(values):
        low, first, middle, third, high = np.quantile(some, (0.05, 0.25, 0.5, 0.75, 0.95))
        axes.plot([low, high], [row, row], color=_COPIED, linewidth=0.8)
        axes.plot([first, third], [row, row], color=_COPIED, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(middle, row, "o", color=_COPIED, markersize=3.5)
    axes.set_xlabel("log-prob where the token must be copied (nats)")


def draw_indicators(run: StoredRun) -> MatplotlibFigure | None:
    """Indicators from the weights against copying, one panel each."""
    names = [name for name in INDICATORS if f"indicator/{name}" in run.arrays]
    if not names:
        return None
    missed = run.arrays["not_copied"] == 1
    figure = new_figure(TWO_COLUMNS, 2.2)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for position, (axes, name) in enumerate(zip(panels, names, strict=True)):
        for some, colour, label in ((~missed, _COPIED, "copied"), (missed, _MISSED, "not copied")):
            axes.plot(
                run.arrays[f"indicator/{name}"][some], run.arrays["logprob"][some], "o", color=colour, markersize=1.6,
                alpha=0.35, markeredgewidth=0, rasterized=True, label=label if position == 0 else None,
            )  # fmt: skip
        axes.set_xlabel(INDICATORS[name], fontsize=6)
        axes.locator_params(axis="x", nbins=4)
        correlation = run.metrics.get(f"indicator/{name}/spearman")
        if correlation is not None:
            axes.set_title(f"rank correlation {correlation:.2f}".replace("-", "−"), fontsize=6.5)
        if position == 0:
            axes.set_ylabel("log-prob (nats)")
    figure.legend(loc="outside lower center", ncols=2, markerscale=2.5)
    return figure


def draw_exposures(run: StoredRun) -> MatplotlibFigure | None:
    """How often training showed a token against how it is copied: every token, and shares of ranges."""
    rows = run.details["by_exposures"]
    if not rows:
        return None
    figure = new_figure(TWO_COLUMNS, 2.4)
    points, shares = figure.subplots(1, 2)
    counts, logprob, missed = run.arrays["exposures"], run.arrays["logprob"], run.arrays["not_copied"] == 1
    for some, colour, label in ((~missed, _COPIED, "copied"), (missed, _MISSED, "not copied")):
        points.plot(
            np.maximum(counts[some], NEVER_SHOWN), logprob[some], "o", color=colour, markersize=2, alpha=0.5,
            markeredgewidth=0, rasterized=True, label=label,
        )  # fmt: skip
    points.set_ylabel("log-prob (nats)")
    points.legend(loc="lower right", markerscale=1.6)
    for planted, label, marker, line, colour in (
        (False, "natural tokens", "o", "-", COLOURS[2]), (True, "planted tokens", "s", "--", COLOURS[3]),
    ):  # fmt: skip
        kept = [row for row in rows if row["planted"] is planted]
        if not kept:
            continue
        found = [wilson(row["not_copied"], row["n"]) for row in kept]
        shares.errorbar(
            [max(float(row["mean"]), NEVER_SHOWN) * (1.06 if planted else 1 / 1.06) for row in kept],
            [share.mean for share in found], yerr=error_lengths((s.mean, s.low, s.high) for s in found),
            color=colour, label=label, capsize=1.5, marker=marker, linestyle=line,
        )  # fmt: skip
    shares.set_ylim(-0.04, 1.04)
    shares.set_ylabel("share not copied")
    shares.legend()
    for axes in (points, shares):
        exposure_axis(axes, float(counts.max()))
    return figure


_NATURAL, _PLANTED = COLOURS[2], COLOURS[3]


def draw_what_counts(run: StoredRun) -> MatplotlibFigure | None:
    """Coefficients of copying on exposures by stream, and how far planted tokens lie off the curve of natural ones."""
    if not run.details.get("what_counts"):
        return None
    has_planted = run.metrics.get("exposures/planted/coefficient") is not None
    figure = new_figure(TWO_COLUMNS if has_planted else ONE_COLUMN * 1.4, 2.3)
    panels = figure.subplots(1, 1 + has_planted, sharey=True, squeeze=False)[0]
    slopes = (
        ("alone", "natural, this count alone", 0.0, "o", _NATURAL),
        ("coefficient", "natural, beside the other streams", 0.22, "D", COLOURS[1]),
    )
    for end, label, below, marker, colour in slopes:
        values = [(row + below, run.interval(f"exposures/{name}/{end}")) for row, name in enumerate(COUNTS)]
        _draw_row_intervals(panels[0], values, label, marker, colour)
    panels[0].set_xlabel("log-odds of a copy per log(1 + times shown)", fontsize=7)
    if has_planted:
        dose = [(-0.22, run.interval("exposures/planted/coefficient"))]
        _draw_row_intervals(panels[0], dose, "planted, by dose", "s", _PLANTED)
        shifts = [(row, run.interval(f"exposures/{name}/planted_shift")) for row, name in enumerate(COUNTS)]
        _draw_row_intervals(panels[1], shifts, "", "s", _PLANTED)
        panels[1].set_xlabel("planted minus natural at equal counts (log-odds)", fontsize=7)
        panels[1].tick_params(axis="y", length=0)
    for axes in panels:
        axes.axvline(0, color=QUIET, linewidth=0.6, zorder=0)
    name_rows(panels[0], [COUNT_WORDS[name] for name in COUNTS])
    legend_below(figure, panels[0], 3 if has_planted else 1)
    return figure


def _draw_row_intervals(
    axes: Axes, values: Sequence[tuple[float | int, tuple[Any, Any, Any]]], label: str, marker: str, colour: str
) -> None:
    known = [(row, interval) for row, interval in values if interval[0] is not None]
    if known:
        axes.errorbar(
            [interval[0] for _, interval in known], [row for row, _ in known],
            xerr=error_lengths(interval for _, interval in known), fmt=marker, color=colour, label=label, markersize=4,
        )  # fmt: skip


def draw_worst(run: StoredRun) -> MatplotlibFigure | None:
    """The worst tokens: what they were chosen by against what they come to when they are asked again."""
    if not len(run.arrays.get("worst/ids", ())):
        return None
    arrays = run.arrays
    rows = np.searchsorted(arrays["ids"], arrays["worst/ids"])
    chosen, again = arrays["logprob"][rows], arrays["worst/logprob"]
    missed = 2 * arrays["worst/missed"] > run.details["n_appearances_worst"]
    figure = new_figure(ONE_COLUMN * 1.2, 2.9)
    axes = figure.subplots()
    for some, colour, label in ((~missed, _COPIED, "copied after all"), (missed, _MISSED, "again not copied")):
        if not some.any():
            continue
        lengths = (
            again[some] - arrays["worst/logprob/ci_low"][some],
            arrays["worst/logprob/ci_high"][some] - again[some],
        )
        axes.errorbar(
            chosen[some], again[some], yerr=lengths, fmt="o", color=colour, markersize=2, elinewidth=0.4, alpha=0.6,
            markeredgewidth=0, label=f"{label} ({int(some.sum())})",
        )  # fmt: skip
    ends = [float(chosen.min()), float(chosen.max())]
    axes.plot(ends, ends, color=QUIET, linewidth=0.9, linestyle=_DASHES, label="as when chosen")
    axes.set_xlabel("log-prob when they were chosen (nats)")
    axes.set_ylabel("asked again in fresh draws (nats)")
    legend_below(figure, axes, 1)
    return figure


FIGURES = (
    Figure(
        "exposures",
        "How often training showed a token (0 stands left of 1) against how it is copied. Left: every token. Right: "
        "the share not copied in ranges of counts, at their means, with 95 % Wilson intervals.",
        draw_exposures,
    ),
    Figure(
        "kinds",
        "Copying by kind of token. Left: median, middle half and middle 90 % of the tokens' log-probs. Right: the "
        "share not copied (missed in more than half of the appearances), with 95 % Wilson intervals.",
        draw_kinds,
    ),
    Figure(
        "histogram",
        "How likely every token is at its second occurrence, where it must be copied (mean over its appearances); "
        "dashed lines are the stated thresholds.",
        draw_histogram,
    ),
    Figure(
        "indicators",
        "Indicators from the weights (low is suspicious) against how likely a token is where it must be copied; one "
        "point a token.",
        draw_indicators,
    ),
    Figure(
        "what_counts",
        "What copying depends on, by logistic regression, with 95 % intervals clustered by token. Left: what more "
        "exposures are worth; streams that go together in natural tokens are known badly beside one another. Right: "
        "how far planted tokens, whose exposures are spread otherwise over the streams, lie off the curve of natural "
        "ones with an equal count of this kind: 0 for what counts, if nothing else tells the two apart.",
        draw_what_counts,
    ),
    Figure(
        "worst",
        "The tokens with the lowest log-probs, asked again in fresh draws, with 95 % Student t intervals over each "
        "one's appearances. Points above the dashed line had been unlucky when they were chosen.",
        draw_worst,
    ),
)
