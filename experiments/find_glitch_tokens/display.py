"""How a run of exp=find_glitch_tokens is shown."""

from collections.abc import Sequence

from experiments.find_glitch_tokens.figures import FIGURES
from experiments.find_glitch_tokens.tables import TABLES
from harness.reporting.display import Display
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


DISPLAY = Display(headline=headline, figures=FIGURES, tables=TABLES)
