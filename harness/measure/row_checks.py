"""Rows of a weight matrix: checked before anything is made of them, and their principal axes."""

import numpy as np
from jaxtyping import Float

from harness.errors import RunFailed

_BLOCK = 8192
_NO_VARIANCE = 1e-12
"""Of the largest variance: axes below it hold rounding noise only, which would tell equal rows apart."""


def check_rows(rows: Float[np.ndarray, "n d"], what: str = "embedding") -> None:
    """Raise `RunFailed`, naming a row, where rows hold NaN or infinities, or where all rows are the same."""
    check_finite(rows, what)
    if len(rows) > 1 and not (rows != rows[0]).any():
        raise RunFailed(f"all {len(rows)} rows of the {what} are the same: nothing tells its tokens apart")


def check_finite(rows: Float[np.ndarray, "n d"], what: str = "embedding") -> None:
    """Raise `RunFailed`, naming a row, where rows hold NaN or infinities."""
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(broken):
        raise RunFailed(f"{len(broken)} rows of the {what} are not finite numbers, the first of them row {broken[0]}")


def principal_axes(rows: Float[np.ndarray, "n d"], n_axes: int) -> Float[np.ndarray, "d axis"]:
    """Unit directions of largest variance around the mean, largest first, float64; fewer where rows span fewer.

    From the d x d covariance, summed over blocks of rows. Each axis' largest loading is positive, so equal rows give
    equal axes. Raises `ValueError` for fewer than one axis or row.
    """
    n, d = rows.shape
    if n_axes < 1 or n < 1:
        raise ValueError(f"{n_axes} principal axes of {n} rows")
    mean = rows.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((d, d))
    for start in range(0, n, _BLOCK):
        block = (rows[start : start + _BLOCK] - mean).astype(np.float32)
        covariance += block.T @ block
    values, vectors = np.linalg.eigh(covariance)
    n_real = int((values > max(float(values[-1]), 0.0) * _NO_VARIANCE).sum())
    axes = vectors[:, ::-1][:, : min(n_axes, max(1, n - 1), max(1, n_real))]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.asarray(axes * signs)
