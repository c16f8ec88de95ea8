"""Methods of mending across models and seeds."""

from collections.abc import Sequence

from harness.reporting.figures.across import Across, Part, Quantity, Scale
from harness.reporting.words import spaced
from harness.runs.results.stored_run import StoredRun


def _methods(run: StoredRun) -> Sequence[Part]:
    return [Part(one["name"], spaced(one["name"])) for one in run.details["methods"]]


PAPER = Across(
    "repair",
    "What each method repairs of glitch tokens held out of it, in wordings held out of it; healthy tokens that fail "
    "beyond those of the untouched model; relative change of the perplexity.",
    (
        Quantity("{part}/repair_rate", "repaired (share)"),
        Quantity("{part}/healthy_harmed", "healthy harmed (share)", Scale.DIFFERENCE),
        Quantity("{part}/perplexity_change", "perplexity (relative change)", Scale.DIFFERENCE),
    ),
    _methods,
)
