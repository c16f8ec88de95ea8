"""Pictures of a census by the published rule, and those of either rule, from stored files."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.census.published_tables import SYMPTOMS, TYPES, tasks
from harness.glitch.census.verdict import LEAST_PASS_RATE
from harness.measure.intervals import wilson
from harness.reporting.display import Figure
from harness.reporting.figures.charts import IntervalRow
from harness.reporting.figures.layout import NEVER_SHOWN, error_lengths, exposure_axis, forest_figure
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, QUIET, TWO_COLUMNS, new_figure
from harness.runs.results.stored_run import StoredRun


def draw_tasks(run: StoredRun) -> MatplotlibFigure | None:
    """Pass rate of every task on well-known tokens and on all, beside the rate a task needs to count."""
    rows = []
    for name in tasks(run):
        counts = run.details["calibration"][name]["informative"]
        for key, label, colour in (("calibration_pass_rate", "well-known", 1), ("pass_rate", "all tested", 0)):
            mean, low, high = run.interval(f"{name}/{key}")
            if mean is None:
                continue
            uninformative = "" if counts else " (uninformative)"
            rows.append(IntervalRow(f"{name}{uninformative}: {label}", mean, low, high, COLOURS[colour]))
    if not rows:
        return None
    figure, axes = forest_figure(rows, "share of tokens that pass", ONE_COLUMN * 1.35, 0.28)
    axes.set_xlim(-0.05, 1.08)
    axes.axvline(LEAST_PASS_RATE, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0)
    axes.text(
        LEAST_PASS_RATE, 1.0, "needed", transform=axes.get_xaxis_transform(), fontsize=6, color=QUIET, ha="center",
        va="bottom",
    )  # fmt: skip
    return figure


def draw_exposures(run: StoredRun) -> MatplotlibFigure | None:
    """P(glitch | exposures): the share of glitch tokens against how often training showed the token."""
    rows = run.details.get("by_exposures") or []
    if not rows:
        return None

    figure = new_figure(height=2.5)
    axes = figure.subplots()
    for planted, label in ((False, "natural tokens"), (True, "planted tokens")):
        kept = [row for row in rows if row["planted"] is planted]
        if not kept:
            continue
        # At the mean of the range's counts; zero exposures are drawn left of one on the logarithmic axis.
        x = [max(float(row["mean"]), NEVER_SHOWN) * (1.06 if planted else 1 / 1.06) for row in kept]
        found = [wilson(row["glitch"], row["n"]) for row in kept]
        means, lengths = [rate.mean for rate in found], error_lengths((r.mean, r.low, r.high) for r in found)
        marker, line, colour = ("s", "--", COLOURS[0]) if planted else ("o", "-", COLOURS[1])
        axes.errorbar(x, means, yerr=lengths, color=colour, label=label, capsize=1.5, marker=marker, linestyle=line)
    exposure_axis(axes, max(float(row["mean"]) for row in rows), most=10_000)
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("share that fails the census")
    axes.legend()
    return figure


def draw_kinds(run: StoredRun) -> MatplotlibFigure | None:
    """Glitch tokens by symptom and by type."""
    if not run.metrics.get("glitch_tokens"):
        return None

    figure = new_figure(TWO_COLUMNS, 1.9)
    for position, (axes, group, names) in enumerate(
        zip(figure.subplots(1, 2), ("symptom", "type"), (SYMPTOMS, TYPES), strict=True)
    ):
        _bars(
            axes, [(label, run.metrics.get(f"{group}/{key}") or 0) for key, label in names.items()], COLOURS[position]
        )
        axes.set_xlabel(f"glitch tokens {'showing this symptom' if group == 'symptom' else 'of this type'}")
    return figure


def _bars(axes: Axes, values: Sequence[tuple[str, Any]], colour: str) -> None:
    positions = range(len(values))
    axes.barh(positions, [value for _, value in values], color=colour, height=0.65)
    axes.set_yticks(positions, [label for label, _ in values])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    most = max(value for _, value in values) or 1
    for position, (_, value) in enumerate(values):
        axes.text(value + 0.01 * most, position, str(value), va="center", fontsize=6)
    axes.set_xlim(0, 1.12 * most)


PUBLISHED_FIGURES = (
    Figure(
        "tasks",
        "Share of tokens that pass each task, on tokens the model knows well and on all that were tested, with 95 % "
        "Wilson intervals. A task below the dashed line says nothing about this model's tokens and takes no part in "
        "the verdict.",
        draw_tasks,
    ),
)
SHARED_FIGURES = (
    Figure(
        "exposures",
        "Share of tokens that fail the census against how often training showed them, with 95 % Wilson intervals; one "
        "point for each range of counts, at the range's mean (0 stands left of 1).",
        draw_exposures,
    ),
    Figure(
        "kinds",
        "Glitch tokens by symptom (a token that fails several tasks may show several) and by type of token.",
        draw_kinds,
    ),
)
