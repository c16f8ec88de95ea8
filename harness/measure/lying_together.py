"""Do some rows lie together, more than as many rows drawn at random do?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

N_DRAWS = 200


@dataclass(frozen=True)
class Togetherness:
    """Mean cosine of rows to their own centroid, after the mean row of the vocabulary was subtracted everywhere."""

    n: int
    """How many rows."""
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
    """Compare `ids` with as many of `others`, `N_DRAWS` times; None for fewer than two ids or too few others."""
    pool = np.asarray(sorted(set(others) - set(ids)), dtype=np.int64)
    n = len(ids)
    if n < 2 or len(pool) < 2 * n:
        return None
    mean = rows.mean(axis=0, dtype=np.float64)
    rng = np.random.default_rng([seed, 11])
    draws = [_cosine_to_centroid(rows[rng.choice(pool, n, replace=False)] - mean) for _ in range(N_DRAWS)]
    return Togetherness(n, _cosine_to_centroid(rows[list(ids)] - mean), float(np.mean(draws)), float(np.max(draws)))


def _cosine_to_centroid(centred: Float[np.ndarray, "token d_model"]) -> float:
    centroid = centred.mean(axis=0)
    products = np.linalg.norm(centred, axis=1) * float(np.linalg.norm(centroid))
    return float((centred @ centroid / np.maximum(products, np.finfo(np.float32).tiny)).mean())
