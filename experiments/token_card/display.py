"""How a run of exp=token_card is shown."""

from collections.abc import Sequence

from experiments.token_card.figures import FIGURES
from experiments.token_card.tables import KINDS, NUMBERS, TABLES
from harness.measure.formatting import number
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_VERDICTS = {
    "glitch": "glitch token", "not_glitch": "passes", "undecided": "undecided (one family of wordings fails)",
    "no_verdict": "no verdict",
}  # fmt: skip


def _asked(run: StoredRun) -> str:
    if run.metrics.get("max_prob") is None:
        return "no prompt fits"
    return number(run.metrics["max_prob"]) + ("" if run.metrics["verification_informative"] else " (uninformative)")


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The few things one wants to know first."""
    card, metrics = run.details["card"], run.metrics
    main = next((row for row in run.details["indicators"] if row["is_main"]), None)
    facts = {
        "token": f"{card['token']} (id {card['id']})",
        "kind": KINDS[card["category"]],
        "census": _VERDICTS[metrics["verdict"]],
        "probability when asked for": _asked(run),
    }
    if main is not None:
        facts[NUMBERS[main["name"]]] = f"{number(main['value'])}, rank {main['rank']:,} of {main['n']:,}"
    if card["exposures"]:
        facts["shown in training"] = f"{card['exposures']['total']:,} times"
    return [HeadlineRow(name, {"value": value}) for name, value in facts.items()]


def answer(run: StoredRun) -> Answer | None:
    """The verdict on the token."""
    card, shown = run.details["card"], run.details["card"]["exposures"]
    often = f", shown {shown['total']:,} times in training" if shown else ""
    return Answer(
        f"{card['token']} (id {card['id']}) of {run.model or 'this tokenizer'}{often}: {KINDS[card['category']]}; "
        f"census: {_VERDICTS[run.metrics['verdict']]}; probability when asked for: {_asked(run)}."
    )


DISPLAY = Display(answer=answer, headline=headline, figures=FIGURES, tables=TABLES)
