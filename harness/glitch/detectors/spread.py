"""An order to query in that is spread over a score's ranks wherever it is cut off."""

import numpy as np
from jaxtyping import Float, Int

# Multiples of it, modulo one, leave no large gap after any number of them.
_GOLDEN = (5**0.5 - 1) / 2
_MOST_DRAWS = 30


def spread_order(scores: Float[np.ndarray, " token"], rng: np.random.Generator) -> Int[np.ndarray, " token"]:
    """Places of all tokens: one draw evenly over the ranks of `scores` (highest first), the next evenly over the
    logarithm of the rank, and so on in turn, so that frequent and rare glitch tokens are both met. `rng` shifts
    both."""
    ranked = np.argsort(-scores, kind="stable")
    n = len(ranked)
    draws = np.arange(_MOST_DRAWS * max(1, n))
    evenly, dense = (rng.random() + draws[:, None] * _GOLDEN + [0.0, rng.random()]).T % 1.0
    ranks = np.stack([evenly * n, n**dense - 1.0], axis=1).astype(np.int64).ravel()
    drawn = np.clip(ranks, 0, n - 1)
    _, first = np.unique(drawn, return_index=True)
    order = drawn[np.sort(first)]
    rest = np.setdiff1d(np.arange(n), order)
    return ranked[np.concatenate([order, rest])]
