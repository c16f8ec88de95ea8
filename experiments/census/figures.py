"""Pictures of one census run, by the rule it was judged by."""

from dataclasses import replace

from experiments.census.agreement_figures import AGREEMENT_FIGURES
from experiments.census.published_figures import PUBLISHED_FIGURES, SHARED_FIGURES
from harness.glitch.census.rules import VerdictRule
from harness.reporting.display import Canvas, Figure
from harness.runs.results.stored_run import StoredRun


def _of(rule: VerdictRule | None, figure: Figure) -> Figure:
    """The figure, drawn of runs by one rule alone; None: of all."""

    def draw(run: StoredRun) -> Canvas | None:
        return figure.draw(run) if rule is None or run.details["verdict"] == rule.value else None

    return replace(figure, draw=draw)


_EXPOSURES, *_OTHERS = SHARED_FIGURES
FIGURES = (
    # The picture that answers comes first, where training counts are known.
    _of(None, _EXPOSURES),
    *(_of(VerdictRule.AGREEMENT, figure) for figure in AGREEMENT_FIGURES),
    *(_of(VerdictRule.PUBLISHED, figure) for figure in PUBLISHED_FIGURES),
    *(_of(None, figure) for figure in _OTHERS),
)
