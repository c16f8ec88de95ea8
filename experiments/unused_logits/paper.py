"""Unused tokens in running text, across models and seeds."""

from collections.abc import Sequence

from harness.reporting.figures.across import Across, Part, Quantity
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun


def _pools(run: StoredRun) -> Sequence[Part]:
    return [Part(pool, pool) for pool in pools_shown(run)]


PAPER = Across(
    "unused_logits",
    "Probability that all tokens of a pool get together at positions of running text, and share of positions at which "
    "one of them is among the likeliest.",
    (
        Quantity("{part}/text/total_probability", "probability of all"),
        Quantity("{part}/text/in_top_k", "one among the likeliest (share)"),
    ),
    _pools,
)
