"""Pictures of one comparison, from its stored files."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.detectors.tables import glitch_key, is_ours, names, truths
from harness.glitch.detectors import roster
from harness.measure.formatting import number
from harness.measure.intervals import student_t_columns
from harness.reporting.display import Figure
from harness.reporting.figures.charts import Curve, draw_curve
from harness.reporting.figures.layout import NEVER_SHOWN, error_lengths, exposure_axis, legend_below
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, colour_of, line_style_of, marker_of, new_figure
from harness.runs.results.stored_run import StoredRun

_PER_CENT = 100.0


def draw_recall(run: StoredRun) -> MatplotlibFigure | None:
    """Recall among queried tokens against queries, and where each detector's report ends up."""
    if not names(run) or not run.metrics.get("census/glitch_tokens"):
        return None

    found = names(run)
    full = run.metrics["census/tested"] * run.details["price"]
    x = run.arrays["grid"] / full * _PER_CENT
    figure = new_figure(TWO_COLUMNS, 3.1)
    left, right = figure.subplots(1, 2)
    left.plot(
        x,
        run.arrays["ideal"],
        color=QUIET,
        linewidth=3.0,
        alpha=0.35,
        label="ideal: asks glitch tokens only",
    )
    left.plot(x, x / _PER_CENT, color=QUIET, linewidth=0.7, linestyle=(0, (5, 3)), label="expected at random")
    for name in found:
        mean, low, high = _band(run.arrays[f"{name}/recall_curve"])
        style = "-" if is_ours(name) else line_style_of(name, found)
        draw_curve(left, Curve(name, x, mean, low, high, colour_of(name, found), style))
    left.set_xlabel("queries (% of what the whole census costs)")
    left.set_ylabel("glitch tokens found by asking (share)")
    left.set_xlim(0, float(x[-1]))
    left.set_ylim(bottom=0)
    _draw_progress(right, run)
    legend_below(figure, left, 4)
    return figure


def _draw_progress(axes: Axes, run: StoredRun) -> None:
    """F1 of what is reported: as it grows for the detector that learns, at the end for all."""
    found = names(run)
    full = run.metrics["census/tested"] * run.details["price"]
    for name in found:
        f1, low, high = run.interval(f"{name}/f1")
        if f1 is None:
            continue
        x = run.metrics[f"{name}/queries_fraction"] * _PER_CENT
        colour = colour_of(name, found)
        if low is not None and high is not None:
            axes.plot([x, x], [low, high], color=colour, linewidth=1.0)
        axes.plot(x, f1, marker_of(name, found), color=colour, markersize=5)
        spent = run.arrays.get(f"{name}/progress/spent")
        if spent is not None:
            scores = np.nanmean(run.arrays[f"{name}/progress/f1"], axis=0)
            axes.plot(spent[0] / full * _PER_CENT, scores, color=colour, linewidth=1.0)
    axes.axhline(0.95, color=QUIET, linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
    axes.text(
        1.0, 0.955, "0.95", transform=axes.get_yaxis_transform(), fontsize=6, color=QUIET, ha="right", va="bottom"
    )
    axes.axvline(run.details["budget_share"] * _PER_CENT, color=QUIET, linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
    axes.set_xscale("symlog", linthresh=1.0)
    ticks = [0, 1, 3, 10, 30, 100]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(-0.1, 150)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("queries and passes (% of the whole census)")
    axes.set_ylabel("F1 of what is reported")


def _band(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Mean over seeds and its 95 % Student t band."""
    if len(curves) < 2:
        return curves[0], None, None
    mean, low, high = student_t_columns(np.asarray(curves, dtype=np.float64))
    return mean, np.clip(low, 0, 1), np.clip(high, 0, 1)


def draw_quality(run: StoredRun) -> MatplotlibFigure | None:
    """Precision, recall and F1 of every detector with intervals."""
    if not names(run) or not run.metrics.get("census/glitch_tokens"):
        return None

    found = names(run)
    figure = new_figure(TWO_COLUMNS, 0.75 + 0.24 * len(found))
    grid = figure.subplots(1, 3, sharey=True)
    for axes, (key, title) in zip(grid, (("precision", "precision"), ("recall", "recall"), ("f1", "F1")), strict=True):
        for place, name in enumerate(found):
            value, low, high = run.interval(f"{name}/{key}")
            if value is None:
                axes.text(0.02, place, "none reported", va="center", fontsize=6, color=QUIET)
                continue
            axes.barh(place, value, color=COLOURS[0] if is_ours(name) else COLOURS[1], height=0.62)
            end = value
            if low is not None and high is not None:
                axes.plot([max(0.0, low), min(1.0, high)], [place, place], color="black", linewidth=0.9)
                end = max(value, min(1.0, high))
            axes.text(end + 0.02, place, f"{value:.2f}", va="center", fontsize=6)
        axes.set_xlim(0, 1.17)
        axes.set_xticks([0, 0.5, 1])
        axes.set_xlabel(title)
        axes.tick_params(axis="y", length=0)
    grid[0].set_yticks(range(len(found)), found)
    grid[0].invert_yaxis()
    ceiling = run.metrics.get("recall_ceiling_at_10pct")
    if ceiling is not None and ceiling < 1 and run.details["budget_share"] == 0.1:
        grid[1].axvline(ceiling, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)))
        grid[1].text(
            ceiling, 1.0, "ceiling of asking alone", transform=grid[1].get_xaxis_transform(), fontsize=5.5,
            color=QUIET, ha="center", va="bottom",
        )  # fmt: skip
    return figure


def draw_roc(run: StoredRun) -> MatplotlibFigure | None:
    """ROC curves of indicators and detectors against every ground truth."""
    labels = truths(run)
    if not labels:
        return None

    indicators = [str(name) for name in run.details.get("indicators", [])]
    scored = [kind.name for kind in roster.DETECTORS if kind.scores_unqueried and kind.name in names(run)]
    members = {f"indicator/{name}": f"indicator {name}" for name in indicators} | {name: name for name in scored}
    figure = new_figure(TWO_COLUMNS, 2.75)
    grid = figure.subplots(1, len(labels), sharey=True, squeeze=False)[0]
    for axes, (truth, words) in zip(grid, labels.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.6, linestyle=(0, (5, 3)))
        areas = []
        for key, label in members.items():
            curve = run.arrays.get(f"{key}/roc/{truth}")
            if curve is None or not np.isfinite(curve).all():
                continue
            colour, style = colour_of(key, list(members)), line_style_of(key, list(members))
            draw_curve(axes, Curve(label, run.arrays["fpr"], curve, colour=colour, line_style=style))
            suffix = "" if truth == "census" else f"/{truth}"
            area = run.metrics.get(f"{key}{suffix}/roc_auc")
            areas.append((number(area, 3), colour))
        for place, (text, colour) in enumerate(reversed(areas)):
            axes.text(0.97, 0.04 + 0.075 * place, text, ha="right", fontsize=6, color=colour, transform=axes.transAxes)
        axes.set_title(words)
        axes.set_xlabel("false-positive rate")
        axes.set_xlim(-0.02, 1)
        axes.set_ylim(0, 1.02)
    grid[0].set_ylabel("true-positive rate")
    handles, legend = next(
        (axes.get_legend_handles_labels() for axes in grid if axes.get_legend_handles_labels()[0]), ([], [])
    )
    if handles:
        figure.legend(handles, legend, loc="outside lower center", ncols=3)
    return figure


def draw_calibration(run: StoredRun) -> MatplotlibFigure | None:
    """P(glitch | exposures)."""
    rows = run.details.get("by_exposures") or []
    if not rows:
        return None

    values = [run.interval(glitch_key(row)) for row in rows]
    x = [max(float(row["mean"]), NEVER_SHOWN) for row in rows]
    means = [mean for mean, _, _ in values]
    figure = new_figure(height=2.4)
    axes = figure.subplots()
    axes.errorbar(x, means, yerr=error_lengths(values), color=COLOURS[1], marker="o", capsize=1.5)
    for place, row in enumerate(rows):
        axes.annotate(
            f"n={row['n']}", (x[place], means[place]), xytext=(3, 5), textcoords="offset points", fontsize=5.5
        )
    exposure_axis(axes, max(x))
    axes.margins(x=0.08)
    axes.set_ylim(-0.04, 1.1)
    axes.set_ylabel("P(glitch)")
    return figure


FIGURES = (
    Figure(
        "recall_queries",
        "Left: share of all glitch tokens found by asking, against queries, mean over seeds with a 95 % band; "
        "wide and pale: one that asks glitch tokens only, dashed: asking at random. Right: F1 of what is reported "
        "against everything that went through the model (vertical line: the budget; beyond it: passes a method cannot "
        "do without); the line shows what the learning detector would have reported on the way.",
        draw_recall,
    ),
    Figure(
        "quality",
        "Precision, recall and F1 of what every detector reports, against the census; means over seeds with 95 % "
        "Student t intervals. Dashed: what asking a tenth of the vocabulary cannot exceed without predicting.",
        draw_quality,
    ),
    Figure(
        "roc",
        "ROC curves of the weight indicators and of the detectors that score every token, against the census and "
        "against how often training showed a token; numbers are areas, in the order of the legend. Census verdicts a "
        "detector bought stand at the two ends of its scores, whatever the truth.",
        draw_roc,
    ),
    Figure(
        "calibration",
        "Share of tokens that fail the census against how often training showed them, 95 % Wilson intervals (0 stands "
        "left of 1).",
        draw_calibration,
    ),
)
