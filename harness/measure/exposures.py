"""Ranges of how often training showed a token, the same wherever something is counted by them."""

import numpy as np
from jaxtyping import Bool, Int

EXPOSURE_RANGES: tuple[tuple[int, int | None], ...] = (
    (0, 1), (1, 5), (5, 17), (17, 65), (65, 257), (257, 1000), (1000, None),
)  # fmt: skip
"""(low, high) of each range; `high` is the first count beyond it, None without an upper bound."""


def is_inside(counts: Int[np.ndarray, " token"], low: int, high: int | None) -> Bool[np.ndarray, " token"]:
    """Which counts lie in a range."""
    return (counts >= low) & (counts < (np.inf if high is None else high))


def range_words(low: int, high: int | None) -> str:
    """A range as it is read: `0`, `1 to 4`, `1000 and more`."""
    if high is None:
        return f"{low} and more"
    return str(low) if high == low + 1 else f"{low} to {high - 1}"
