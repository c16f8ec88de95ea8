"""How a run of exp=detectors is shown."""

from collections.abc import Sequence

from experiments.detectors.figures import FIGURES
from experiments.detectors.metrics import budget_key
from experiments.detectors.paper import PAPER_FIGURES, PAPER_TABLES
from experiments.detectors.tables import TABLES, budget_words, budgets, names
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_SHOWN = (0.01, 0.02, 0.1)


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The truth first, then every detector by its F1 at the middle one of the budgets shown."""
    metrics = run.metrics
    if not metrics.get("truth/tested"):
        return [HeadlineRow("truth", {"F1": "none: no asked or echoed wording counts for this model"})]
    shown = [share for share in _SHOWN if share in budgets(run)] or budgets(run)[-1:]
    middle = budget_key(shown[len(shown) // 2])

    def row(name: str) -> HeadlineRow:
        values = {}
        for share in shown:
            mean, low, high = run.interval(f"{name}/{budget_key(share)}/f1")
            words = with_interval(mean, low, high, 2) if mean is not None else "not defined"
            values[f"F1 at {budget_words(share)}"] = words
        values["confirmed"] = number(metrics.get(f"{name}/{middle}/confirmed"), 3)
        return HeadlineRow(name, values)

    glitch = f"{metrics.get('truth/glitch_tokens')} of {metrics.get('truth/tested')} are glitch tokens"
    first = HeadlineRow("truth", {f"F1 at {budget_words(shown[0])}": glitch})
    by_f1 = sorted(names(run), key=lambda name: -(metrics.get(f"{name}/{middle}/f1") or 0.0))
    known = [row for row in [_learnable(run, f"F1 at {budget_words(shown[-1])}")] if row is not None]
    return [first, *known, *map(row, by_f1)]


def _learnable(run: StoredRun, column: str) -> HeadlineRow | None:
    """What detectors can be held against: predictions that know nine tenths of the verdicts and the best cut."""
    f1 = run.metrics.get("learnable/f1")
    return (
        None
        if f1 is None
        else HeadlineRow("nine tenths of the verdicts known", {column: f"{number(f1, 2)} (best cut)"})
    )


DISPLAY = Display(
    headline=headline, figures=FIGURES, tables=TABLES, paper_figures=PAPER_FIGURES, paper_tables=PAPER_TABLES
)
