"""How a run of exp=find_glitch_tokens is shown."""

from collections.abc import Sequence

from experiments.find_glitch_tokens.figures import FIGURES
from experiments.find_glitch_tokens.paper import PAPER
from experiments.find_glitch_tokens.tables import TABLES
from harness.reporting.asked import prompts_of
from harness.reporting.display import Answer, Asked, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """What was found for what price, in one line."""
    metrics, name = run.metrics, str(run.details["detector"])
    if metrics.get("found") is None:
        return [HeadlineRow(name, {"glitch tokens found": "none can be told: no asked or echoed wording counts"})]
    parts = f"{metrics['confirmed']} confirmed, {metrics['predicted']} predicted"
    values = {
        "glitch tokens found": f"{metrics['found']} ({parts})",
        "expected to be missed": f"{metrics['expected_missed']:.1f}",
        "price": f"{100 * metrics['spent_share']:.1f} % of asking every token",
        "trying wordings": f"{100 * metrics['calibration_share']:.1f} %",
    }
    return [HeadlineRow(name, values)]


def answer(run: StoredRun) -> Answer | None:
    """What was found for what price."""
    metrics = run.metrics
    if metrics.get("found") is None:
        return Answer(f"No asked or echoed wording counts for {run.model}: its glitch tokens can't be told.")
    return Answer(
        f"{metrics['found']:,} glitch tokens of {run.model} are found ({metrics['confirmed']:,} asked and failed, "
        f"{metrics['predicted']:,} predicted) and {metrics['expected_missed']:.1f} more expected, for "
        f"{100 * metrics['spent_share']:.1f} % of asking every token."
    )


def asked(run: StoredRun) -> Asked:
    """The prompts alone: answers are not stored."""
    return Asked((), prompts_of(run.details.get("questions", {})))


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    asked=asked,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
