"""The comparison across models: F1 at each budget, means over models with intervals over them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from experiments.detectors.figures import line_of
from experiments.detectors.metrics import budget_key
from experiments.detectors.tables import budget_words, budgets, kind_of, names
from harness.measure.intervals import Interval, student_t
from harness.reporting.display import PaperFigure, PaperTable
from harness.reporting.figures.charts import Curve, draw_curve
from harness.reporting.figures.layout import legend_below
from harness.reporting.figures.style import new_figure
from harness.reporting.figures.tables import interval_columns
from harness.runs.results.stored_run import StoredRun

_LEAST_MODELS = 2
_PER_CENT = 100.0


def comparable(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """One run a model, the newest of those with a truth, all with the same budgets; none where fewer than two."""
    by_model = {
        str((run.manifest.get("model") or {}).get("label")): run
        for run in sorted(runs, key=lambda run: str(run.manifest.get("ended")))
        if run.metrics.get("truth/glitch_tokens")
    }
    found = list(by_model.values())
    same = [run for run in found if budgets(run) == budgets(found[0])]
    return same if len(same) >= _LEAST_MODELS else []


def _shared_names(runs: Sequence[StoredRun]) -> list[str]:
    return [name for name in names(runs[0]) if all(name in names(run) for run in runs)]


def over_models(runs: Sequence[StoredRun], name: str, share: float) -> Interval:
    """Mean over models of a detector's F1 at a budget."""
    return student_t(np.array([float(run.metrics[f"{name}/{budget_key(share)}/f1"]) for run in runs]))


def f1_over_models(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """A row for each detector that was run on all models, a column for each budget."""
    found = comparable(runs)
    if not found:
        return None
    rows = []
    for name in _shared_names(found):
        row = {"detector": name, "kind": kind_of(name), "models": len(found)}
        for share in budgets(found[0]):
            mean = over_models(found, name, share)
            row |= interval_columns(budget_words(share), (mean.mean, mean.low, mean.high))
        rows.append(row)
    return pd.DataFrame(rows)


def draw_f1_over_models(runs: Sequence[StoredRun]) -> Canvas | None:
    """F1 against the budget, means over models."""
    found = comparable(runs)
    if not found:
        return None
    figure = new_figure(height=3.6)
    axes = figure.subplots()
    shown, shares = _shared_names(found), budgets(found[0])
    x = np.array(shares) * _PER_CENT
    for name in shown:
        means = np.array([over_models(found, name, share).mean for share in shares])
        colour, dashes = line_of(name, shown)
        draw_curve(axes, Curve(name, x, means, colour=colour, line_style=dashes))
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{share:g}" for share in x])
    axes.minorticks_off()
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("budget (% of asking every token once)")
    axes.set_ylabel(f"F1 of what is predicted (mean over {len(found)} models)")
    legend_below(figure, axes, 2)
    return figure


PAPER_FIGURES = (
    PaperFigure(
        "detectors_f1",
        "F1 of what each detector predicts of the whole vocabulary against the budget, means over models (one run a "
        "model); solid: ours, dashed: published, dotted: controls.",
        draw_f1_over_models,
    ),
)
PAPER_TABLES = (
    PaperTable(
        "detectors_f1",
        "F1 of what each detector predicts of the whole vocabulary at each budget: means over models, with 95 % "
        "Student t intervals over models.",
        f1_over_models,
    ),
)
