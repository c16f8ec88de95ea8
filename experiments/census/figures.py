"""Pictures of one census run, by the rule it was judged by."""

from collections.abc import Callable
from dataclasses import replace

from experiments.census.agreement_figures import AGREEMENT_FIGURES
from experiments.census.published_figures import PUBLISHED_FIGURES, SHARED_FIGURES
from harness.glitch.census.verdict import VerdictRule
from harness.reporting.display import Canvas, Figure
from harness.runs.results.stored_run import StoredRun


def _only(rule: VerdictRule, figure: Figure) -> Figure:
    draw: Callable[[StoredRun], Canvas | None] = figure.draw
    return replace(figure, draw=lambda run: draw(run) if run.details["verdict"] == rule.value else None)


FIGURES = (
    *(_only(VerdictRule.AGREEMENT, figure) for figure in AGREEMENT_FIGURES),
    *(_only(VerdictRule.PUBLISHED, figure) for figure in PUBLISHED_FIGURES),
    *SHARED_FIGURES,
)
