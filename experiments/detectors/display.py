"""How a run of exp=detectors is shown."""

from collections.abc import Sequence

from experiments.detectors.figures import FIGURES
from experiments.detectors.metrics import budget_key
from experiments.detectors.paper import PAPER_FIGURES, PAPER_TABLES
from experiments.detectors.tables import TABLES, budget_words, budgets, kind_of, names
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display
from harness.reporting.words import spaced
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


def answer(run: StoredRun) -> Answer | None:
    """Ours beside the best other one, at the middle of the budgets shown."""
    if not run.metrics.get("truth/tested"):
        return Answer(f"No asked or echoed wording counts for {run.model}: there is no truth to compare detectors by.")
    glitch, tested = run.metrics["truth/glitch_tokens"], run.metrics["truth/tested"]
    if not glitch:
        return Answer(f"None of {tested:,} tokens of {run.model} is a glitch token: there is nothing to detect.")
    shown = [share for share in _SHOWN if share in budgets(run)] or budgets(run)[-1:]
    budget = shown[len(shown) // 2]

    def best(some: Sequence[str]) -> str | None:
        known = {name: f1 for name in some if (f1 := run.metrics.get(_f1(name, budget))) is not None}
        if not known:
            return None
        name = max(known, key=lambda name: known[name])
        return f"{spaced(name)} finds them with an F1 of {with_interval(*run.interval(_f1(name, budget)), 2)}"

    ours, other = (
        best([name for name in names(run) if (kind_of(name) == "ours") is is_ours]) for is_ours in (True, False)
    )
    compared = ", ".join(part for part in (ours and f"ours, {ours}", other and f"the best other, {other}") if part)
    truth = f"{glitch:,} of {tested:,} tokens of {run.model} are glitch tokens"
    return Answer(f"{truth}; for {budget_words(budget)} of a census {compared or 'no detector has an F1'}.")


def _f1(name: str, budget: float) -> str:
    return f"{name}/{budget_key(budget)}/f1"


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER_FIGURES,
    paper_tables=PAPER_TABLES,
)
