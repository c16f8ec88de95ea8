"""Pictures of one comparison, from its stored files."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.detectors.metrics import budget_key
from experiments.detectors.tables import budgets, glitch_key, is_ours, kind_of, names
from harness.measure.formatting import number
from harness.reporting.display import Figure
from harness.reporting.figures.charts import Curve, draw_curve
from harness.reporting.figures.families import colour_of, line_style_of
from harness.reporting.figures.layout import NEVER_SHOWN, error_lengths, exposure_axis, legend_below
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.words import INDICATORS, spaced
from harness.runs.results.stored_run import StoredRun

_PER_CENT = 100.0
LINE_STYLES = {"ours": "-", "published": "--", "control": ":"}
"""By `tables.kind_of`."""


def _has_truth(run: StoredRun) -> bool:
    return bool(names(run) and run.metrics.get("truth/glitch_tokens"))


def draw_f1(run: StoredRun) -> MatplotlibFigure | None:
    """F1 of what is predicted and what is confirmed, against the budget."""
    if not _has_truth(run):
        return None
    figure = new_figure(TWO_COLUMNS, 3.6)
    left, right = figure.subplots(1, 2)
    _draw_curves(left, run, "f1")
    learnable = run.metrics.get("learnable/f1")
    if learnable is not None:
        words = "learnt from nine tenths of the verdicts, best cut"
        left.axhline(float(learnable), color=QUIET, linewidth=0.9, linestyle=(0, (1, 1)), label=words)
    left.set_ylabel("F1 of what is predicted")
    _draw_curves(right, run, "confirmed_recall")
    right.set_ylabel("glitch tokens asked and found to fail (share)")
    for axes in (left, right):
        axes.set_xscale("log")
        shares = [share * _PER_CENT for share in budgets(run)]
        axes.set_xticks(shares, [f"{share:g}" for share in shares])
        axes.minorticks_off()
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("budget (% of asking every token once)")
    legend_below(figure, left, 4)
    return figure


def line_of(name: str, among: Sequence[str]) -> tuple[str, str]:
    """Colour and dashes of a detector's curve: dashes say its kind; of more than there are colours, colours tell those
    of one kind apart."""
    kind = kind_of(name)
    rivals = among if len(among) <= len(COLOURS) else [other for other in among if kind_of(other) == kind]
    return colour_of(name, rivals), LINE_STYLES[kind]


def _draw_curves(axes: Axes, run: StoredRun, key: str) -> None:
    x = np.array(budgets(run)) * _PER_CENT
    for name in names(run):
        values = [run.interval(f"{name}/{budget_key(share)}/{key}") for share in budgets(run)]
        mean, low, high = (np.array([np.nan if v is None else v for v in part]) for part in zip(*values, strict=True))
        has_band = np.isfinite(low).all() and is_ours(name)
        colour, style = line_of(name, names(run))
        ends = (low, high) if has_band else (None, None)
        draw_curve(axes, Curve(name, x, mean, ends[0], ends[1], colour, style))


def draw_leads(run: StoredRun) -> MatplotlibFigure | None:
    """By how much ours are ahead of the best other detector."""
    ours = [name for name in names(run) if is_ours(name)]
    if not _has_truth(run) or not ours or run.metrics.get(f"best_other/{budget_key(budgets(run)[0])}") is None:
        return None
    figure = new_figure(height=3.0)
    axes = figure.subplots()
    x = np.arange(len(budgets(run)))
    for place, name in enumerate(ours):
        values = [run.interval(f"{name}/{budget_key(share)}/f1_lead") for share in budgets(run)]
        axes.errorbar(
            x + 0.12 * (place - (len(ours) - 1) / 2), [v[0] for v in values], yerr=error_lengths(values),
            marker="o", linestyle="none", capsize=2, color=COLOURS[place], label=name,
        )  # fmt: skip
    axes.axhline(0, color=QUIET, linewidth=0.7)
    best = [str(run.metrics[f"best_other/{budget_key(share)}"]) for share in budgets(run)]
    labels = [f"{share * _PER_CENT:g} %\n{name}" for share, name in zip(budgets(run), best, strict=True)]
    axes.set_xticks(x, labels, rotation=40, ha="right", fontsize=6)
    axes.set_ylabel("lead in F1")
    legend_below(figure, axes, 2)
    return figure


def draw_promises(run: StoredRun) -> MatplotlibFigure | None:
    """Promised probability against the share that are glitch tokens."""
    ours = [name for name in names(run) if is_ours(name)]
    if not _has_truth(run) or not ours:
        return None
    figure = new_figure(height=2.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.6, linestyle=(0, (5, 3)))
    for place, name in enumerate(ours):
        items = run.details["promises"][name]
        x, y = ([item[key] for item in items] for key in ("promised", "glitch"))
        axes.plot(x, y, "o-", color=COLOURS[place], linewidth=1.0, markersize=3, label=name)
    axes.set_xlabel("promised P(glitch) of tokens not asked")
    axes.set_ylabel("glitch tokens among them (share)")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    legend_below(figure, axes, 2)
    return figure


def draw_roc(run: StoredRun) -> MatplotlibFigure | None:
    """ROC curves of the weight indicators."""
    if not run.metrics.get("truth/glitch_tokens"):
        return None
    indicators = [str(name) for name in run.details.get("indicators", [])]
    curves = {name: run.arrays.get(f"indicator/{name}/roc") for name in indicators}
    figure = new_figure(height=2.75)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.6, linestyle=(0, (5, 3)))
    for name, curve in curves.items():
        if curve is None or not np.isfinite(curve).all():
            continue
        label = f"{INDICATORS.get(name, spaced(name))}: area {number(run.metrics.get(f'indicator/{name}/roc_auc'), 3)}"
        colour, style = colour_of(name, indicators), line_style_of(name, indicators)
        draw_curve(axes, Curve(label, run.arrays["fpr"], curve, colour=colour, line_style=style))
    axes.set_xlabel("other tokens above a cut (share)")
    axes.set_ylabel("glitch tokens above it (share)")
    axes.set_xlim(-0.02, 1)
    axes.set_ylim(0, 1.02)
    legend_below(figure, axes, 1)
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
        "f1",
        "Left: F1 of what each detector predicts of the whole vocabulary, queried or not. Right: share of all glitch "
        "tokens that it queried and found to fail. Means over seeds; solid: ours with a 95 % band, dashed: published, "
        "dotted: controls. The budget counts every token that goes through the model.",
        draw_f1,
    ),
    Figure(
        "leads",
        "F1 of ours minus that of the best other detector, which is chosen by the truth at each budget and named below "
        "it; 95 % Student t intervals over seeds.",
        draw_leads,
    ),
    Figure(
        "promises",
        "What ours promise of tokens they did not query (P(glitch), in bins), and the share of these tokens that are "
        "glitch tokens; over all seeds and budgets.",
        draw_promises,
    ),
    Figure(
        "roc",
        "ROC curves of the weight indicators against the truth. Area: the chance that a glitch token is ranked above "
        "one that is none (0.5: no better than drawing lots).",
        draw_roc,
    ),
    Figure(
        "calibration",
        "Share of glitch tokens against how often training showed a token, 95 % Wilson intervals (0 stands left of 1).",
        draw_calibration,
    ),
)
