"""The space that neighbours are found in: rows checked, scaled for the metric, reduced to principal components."""

import numpy as np
from jaxtyping import Float

from harness.errors import RunFailed
from harness.measure.row_checks import principal_axes

_BLOCK = 8192


def unit_rows(rows: Float[np.ndarray, "n d"], what: str = "embedding") -> Float[np.ndarray, "n d"]:
    """Rows scaled to length one, float32. Raises `RunFailed` for a row of length zero, which has no direction."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    zero = np.flatnonzero(lengths == 0)
    if len(zero):
        raise RunFailed(
            f"{len(zero)} rows of the {what} are zero (the first of them row {zero[0]}): they have no direction; "
            "use the Euclidean metric"
        )
    return (rows / lengths[:, None]).astype(np.float32)


def principal_components(rows: Float[np.ndarray, "n d"], n_components: int) -> Float[np.ndarray, "n component"]:
    """Centred rows on their first principal components, float32; at most as many as d and n - 1 allow.

    Exact; see `harness.measure.row_checks`. Raises `ValueError` for fewer than one component.
    """
    if n_components < 1:
        raise ValueError(f"{n_components} principal components")
    axes = principal_axes(rows, n_components).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64)
    reduced = np.empty((len(rows), axes.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        reduced[start : start + _BLOCK] = (rows[start : start + _BLOCK] - mean).astype(np.float32) @ axes
    return reduced
