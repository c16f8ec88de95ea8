"""One token repeated, across models and seeds."""

from collections.abc import Sequence

from harness.reporting.figures.across import Across, Part, Quantity, Scale
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun


def _pools(run: StoredRun) -> Sequence[Part]:
    return [Part(pool, pool) for pool in pools_shown(run)]


PAPER = Across(
    "repeat_one_token",
    "One token repeated to the end of the context: tokens that ever are the likeliest next, those that still are at "
    "the end, and the norm of copies over that of a sequence's first position.",
    (
        Quantity("{part}/started", "ever the likeliest (share)"),
        Quantity("{part}/still_going", "at the end, too (share)"),
        Quantity("{part}/norm", "norm of copies", Scale.FROM_ZERO),
    ),
    _pools,
)
