"""Do some rows lie together, more than as many rows drawn at random do?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

N_DRAWS = 200
_MOST_ROWS = 256


@dataclass(frozen=True)
class Togetherness:
    """Mean cosine of rows to their own centroid, after the mean row of the vocabulary was subtracted everywhere."""

    n: int
    """How many rows are compared at once, the same number on both sides."""
    cosine: float
    """Of the rows in question."""
    random_mean: float
    """Mean over draws of as many other rows; by chance alone about 1 / sqrt(n)."""
    random_highest: float
    """The highest of `N_DRAWS` draws."""

    @property
    def is_beyond_chance(self) -> bool:
        """Whether no random draw lies as close together."""
        return self.cosine > self.random_highest


def togetherness(
    rows: Float[np.ndarray, "d_vocab d_model"], ids: Sequence[int], others: Sequence[int], seed: int = 0
) -> Togetherness | None:
    """Compare `ids` with as many of `others`, drawn `N_DRAWS` times.

    At most half of the others and `_MOST_ROWS` at once: of more ids several samples are averaged. None for fewer than
    two ids or four others.
    """
    pool = np.asarray(sorted(set(others) - set(ids)), dtype=np.int64)
    own = np.asarray(sorted(set(ids)), dtype=np.int64)
    n = min(len(own), len(pool) // 2, _MOST_ROWS)
    if n < 2:
        return None
    mean = rows.mean(axis=0, dtype=np.float64)
    rng = np.random.default_rng([seed, 11])

    def drawn(some: np.ndarray) -> float:
        return _cosine_to_centroid(rows[rng.choice(some, n, replace=False)] - mean)

    cosine = _cosine_to_centroid(rows[own] - mean) if n == len(own) else np.mean([drawn(own) for _ in range(N_DRAWS)])
    draws = [drawn(pool) for _ in range(N_DRAWS)]
    return Togetherness(n, float(cosine), float(np.mean(draws)), float(np.max(draws)))


def _cosine_to_centroid(centred: Float[np.ndarray, "token d_model"]) -> float:
    centroid = centred.mean(axis=0)
    products = np.linalg.norm(centred, axis=1) * float(np.linalg.norm(centroid))
    return float((centred @ centroid / np.maximum(products, np.finfo(np.float32).tiny)).mean())
