"""Magikarp's indicators: how close each row is to the mean row of tokens known to be unused. Low means under-trained.

Source: Land & Bartolo 2024 (arXiv 2405.05417), section 3.2, and cohere-ai/magikarp, utils.py and model.py.
U is the unembedding, E the embedding, T the ids known to be unused, u_T the mean of the rows U[T].
"""

from collections.abc import Sequence
from enum import Enum

import numpy as np
from jaxtyping import Float

from harness.errors import RunFailed
from harness.measure.row_checks import check_rows, principal_axes

_SMALLEST_DENOMINATOR = 1e-6


class Indicator(Enum):
    """A number for every token; the lower, the less trained."""

    INPUT_NORM = "input_norm"
    """|E_i|; for untied models only."""
    COSINE = "cosine"
    """1 - cos(U_i, u_T)."""
    CENTRED_COSINE = "centred_cosine"
    """The same after the mean row of U was subtracted everywhere."""
    COSINE_WITHOUT_FIRST_PC = "cosine_without_first_pc"
    """The same after the first principal component's direction was projected out of U."""
    L2 = "l2"
    """|U_i - u_T|."""


def weight_indicators(
    unembedding: Float[np.ndarray, "d_vocab d_model"],
    unused_ids: Sequence[int],
    embedding: Float[np.ndarray, "d_vocab d_model"] | None = None,
) -> dict[Indicator, Float[np.ndarray, " d_vocab"]]:
    """Every indicator that applies, float64; `embedding`: of an untied model.

    Without unused ids only the input norm is left. Raises `RunFailed` for rows that are not finite or all the same, and
    where nothing applies: a tied model without unused ids. Memory grows with d_vocab * d_model.
    """
    found: dict[Indicator, np.ndarray] = {}
    if embedding is not None:
        check_rows(embedding, "embedding")
        found[Indicator.INPUT_NORM] = _lengths(embedding.astype(np.float64))
    if len(unused_ids):
        check_rows(unembedding, "unembedding")
        found |= _distances_to_unused(unembedding.astype(np.float64), list(unused_ids))
    if not found:
        raise RunFailed("a tied model has no indicator without ids known to be unused; name some (pools.unused=[...])")
    return found


def main_indicator(is_tied: bool) -> Indicator:
    """What candidates are chosen by: the input norm of untied models, the cosine distance of tied ones."""
    return Indicator.COSINE if is_tied else Indicator.INPUT_NORM


def _distances_to_unused(rows: Float[np.ndarray, "d_vocab d_model"], unused: list[int]) -> dict[Indicator, np.ndarray]:
    reference = rows[unused].mean(axis=0)
    mean = rows.mean(axis=0)
    axis = principal_axes(rows, 1)[:, 0]
    without_axis = rows - np.outer(rows @ axis, axis)
    return {
        Indicator.COSINE: cosine_distances(rows, reference),
        Indicator.CENTRED_COSINE: cosine_distances(rows - mean, reference - mean),
        Indicator.COSINE_WITHOUT_FIRST_PC: cosine_distances(without_axis, without_axis[unused].mean(axis=0)),
        Indicator.L2: _lengths(rows - reference),
    }


def cosine_distances(
    rows: Float[np.ndarray, "d_vocab d_model"], reference: Float[np.ndarray, " d_model"]
) -> Float[np.ndarray, " d_vocab"]:
    """1 - cos of every row with `reference`."""
    products = _lengths(rows) * float(np.linalg.norm(reference))
    return 1 - rows @ reference / np.maximum(products, _SMALLEST_DENOMINATOR)


def _lengths(rows: Float[np.ndarray, "d_vocab d_model"]) -> Float[np.ndarray, " d_vocab"]:
    return np.sqrt(np.einsum("vd,vd->v", rows, rows))
