"""Pictures of one run of exp=audit, from its stored files."""

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.layout import legend_below, name_rows
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, QUIET, new_figure
from harness.reporting.words import CATEGORIES, INDICATORS
from harness.runs.results.stored_run import StoredRun

REASONS = {
    "glitch": "glitch token: fails the census",
    "undertrained": "verified under-trained",
    "untrained_row": "untrained row, no text asks for it",
    "unreachable": "unreachable: encodes to something else",
    "no_token": CATEGORIES["no_token"],
}
_N_BINS = 40


def draw_reasons(run: StoredRun) -> MatplotlibFigure | None:
    """How many tokens are listed for each reason, and how many of those fail the census as well."""
    records = run.records
    counts = {name: int(run.metrics.get(f"reason/{name}") or 0) for name in REASONS}
    if not any(counts.values()):
        return None

    figure = new_figure(ONE_COLUMN * 1.4, 1.9)
    axes = figure.subplots()
    most = max(counts.values())
    for place, (name, n) in enumerate(counts.items()):
        listed = records[[name in reasons for reasons in records["reasons"]]] if n else records.head(0)
        failed = int((listed["glitch"] == True).sum()) if n else 0  # noqa: E712  (null is neither)
        axes.barh(place, n, height=0.66, color=COLOURS[5], label="listed" if place == 0 else None)
        axes.barh(
            place, failed, height=0.3, color=COLOURS[0], label="of these, fail the census" if place == 0 else None
        )
        axes.text(n + 0.015 * most, place, f"{n:,}", va="center", fontsize=6.5)
    name_rows(axes, list(REASONS.values()), below=0.45)
    axes.set_xlim(0, 1.14 * most)
    axes.set_xlabel("tokens")
    legend_below(figure, axes, 2)
    return figure


def draw_indicator(run: StoredRun) -> MatplotlibFigure | None:
    """The main indicator of tokens that fail the census and of those that pass."""
    glitch, values = run.arrays["glitch"], run.arrays["indicator"]
    if not (glitch >= 0).any():
        return None

    figure = new_figure(height=2.4)
    axes = figure.subplots()
    bins = np.linspace(values.min(), values.max(), _N_BINS).tolist()
    for verdict, colour, label in ((0, COLOURS[1], "passes"), (1, COLOURS[0], "fails")):
        of_kind = values[glitch == verdict]
        if len(of_kind):
            axes.hist(of_kind, bins=bins, histtype="stepfilled", color=colour, alpha=0.3)
            axes.hist(of_kind, bins=bins, histtype="step", color=colour, label=f"{label} the census ({len(of_kind):,})")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.6)
    axes.set_xlabel(f"{INDICATORS[run.details['main_indicator']]} (low: suspicious)")
    axes.set_ylabel("tokens")
    legend_below(figure, axes, 2)
    return figure


def draw_revisions(run: StoredRun) -> MatplotlibFigure | None:
    """Glitch tokens before and now, and what became of them."""
    compared = run.details.get("compared")
    if not compared or not run.metrics.get("compare/tokens"):
        return None

    figure = new_figure(ONE_COLUMN * 1.2, 1.5)
    axes = figure.subplots()
    both, became, repaired = compared["both"], compared["became"], compared["repaired"]
    axes.barh([0, 1], [both, both], color=QUIET, height=0.6, label=f"in both ({both:,})")
    axes.barh(0, repaired, left=both, color=COLOURS[2], height=0.6, label=f"repaired ({repaired:,})")
    axes.barh(1, became, left=both, color=COLOURS[0], height=0.6, label=f"new ({became:,})")
    name_rows(axes, ["the other revision", "this one"], below=0.5, above=0.5)
    axes.set_xlim(0, max(1, both + max(became, repaired)) * 1.05)
    axes.set_xlabel(f"glitch tokens of {run.metrics['compare/tokens']:,} asked in both")
    legend_below(figure, axes, 3)
    return figure


FIGURES = (
    Figure(
        "reasons",
        "Tokens listed for each reason (a token may have several), and how many of them fail the census.",
        draw_reasons,
    ),
    Figure(
        "indicator",
        "Main indicator from the weights, for tokens that fail the census and tokens that pass it; low is suspicious.",
        draw_indicator,
    ),
    Figure(
        "revisions", "Glitch tokens of the other revision and of this one, and what became of them.", draw_revisions
    ),
)
