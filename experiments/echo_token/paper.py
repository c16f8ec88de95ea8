"""Tokens that are echoed once more, across models and seeds."""

from collections.abc import Sequence

from harness.reporting.figures.across import Across, Part, Quantity
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun


def _pools(run: StoredRun) -> Sequence[Part]:
    return [Part(pool, pool) for pool in pools_shown(run)]


PAPER = Across(
    "echo_token",
    "Share of tokens that the model says once more after echoes of them. Answers under the article's ban on repeated "
    "pairs of tokens, which forbids the right one, are left out.",
    (Quantity("{part}/greedy/success", "likeliest answer"), Quantity("{part}/sampled/success", "sampled answers")),
    _pools,
)
