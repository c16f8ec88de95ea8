"""The last resort where no rule finds an unused token: the rows that lie closest together, known to be nothing else."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from harness.measure.coinciding_rows import CentredRows

_BLOCK = 1024
_MOST_ROWS = 32_768


def closest_rows(centred: CentredRows, among: Sequence[int], n: int) -> tuple[tuple[int, ...], float]:
    """The tightest group of `n`: a row and its nearest, and the cosine distance (after centring) of the farthest.

    Of very many rows a fixed random sample is looked at. Fewer where there are fewer.
    """
    ids = np.asarray(sorted(set(among)), dtype=np.int64)
    if len(ids) > _MOST_ROWS:
        ids = np.sort(np.random.default_rng(0).permutation(ids)[:_MOST_ROWS])
    n = min(n, len(ids))
    if n < 2:
        return tuple(ids.tolist()), 0.0
    rows = centred.directions[ids]
    starts = range(0, len(ids), _BLOCK)
    farthest = np.concatenate([_nearest_distances(rows[start : start + _BLOCK], rows, n) for start in starts])
    centre = int(farthest.argmin())
    nearest = np.argsort(1 - rows @ rows[centre], kind="stable")[:n]
    return tuple(sorted(ids[nearest].tolist())), float(farthest[centre])


def _nearest_distances(
    block: Float[np.ndarray, "some d_model"], rows: Float[np.ndarray, "token d_model"], n: int
) -> Float[np.ndarray, " some"]:
    """How far each row's group of `n`, itself included, reaches."""
    return 1 - np.partition(block @ rows.T, len(rows) - n, axis=1)[:, len(rows) - n]
