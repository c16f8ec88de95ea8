"""The space that neighbours are found in: rows checked, scaled for the metric, reduced to principal components."""

from enum import Enum

import numpy as np
from jaxtyping import Float

from harness.errors import RunFailed

_BLOCK = 8192
_FLOAT32_ROUNDING = 1e-6


class Metric(Enum):
    """How far apart two rows are."""

    EUCLIDEAN = "euclidean"
    COSINE = "cosine"
    """1 - cos; ordered like the Euclidean distance of rows of length one."""


def check_rows(rows: Float[np.ndarray, "n d"], what: str = "embedding") -> None:
    """Raise `RunFailed`, naming a row, where rows hold NaN or infinities, or where all rows are the same."""
    broken = ~np.isfinite(rows).all(axis=1)
    if broken.any():
        count, first = int(broken.sum()), int(np.flatnonzero(broken)[0])
        raise RunFailed(f"{count} rows of the {what} are not finite numbers, the first of them row {first}")
    if len(rows) > 1 and not (rows != rows[0]).any():
        raise RunFailed(f"all {len(rows)} rows of the {what} are the same: nothing tells its tokens apart")


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

    Exact, from the d x d covariance in blocks of rows (never n x n). Each component's largest loading is positive, so
    equal rows give equal pictures. Raises `ValueError` for fewer than one component.
    """
    if n_components < 1:
        raise ValueError(f"{n_components} principal components")
    n, d = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((d, d))
    for start in range(0, n, _BLOCK):
        block = (rows[start : start + _BLOCK] - mean).astype(np.float32)
        covariance += block.T @ block
    values, vectors = np.linalg.eigh(covariance)
    # Directions without variance hold rounding noise only, which would tell equal rows apart.
    meant = values > max(values[-1], 0.0) * _FLOAT32_ROUNDING**2
    kept = min(n_components, d, max(1, n - 1), max(1, int(meant.sum())))
    axes = vectors[:, ::-1][:, :kept]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(kept)])
    axes = (axes * np.where(signs == 0, 1, signs)).astype(np.float32)
    reduced = np.empty((n, kept), dtype=np.float32)
    for start in range(0, n, _BLOCK):
        reduced[start : start + _BLOCK] = (rows[start : start + _BLOCK] - mean).astype(np.float32) @ axes
    return reduced
