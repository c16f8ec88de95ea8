"""Is a copy taken for the first token of the sequence? Its norm tells: that of a first token stands out.

Yona et al. 2025 (arXiv 2503.08908): in a long repetition the copies get the norm and the attention that belong to
position 0, and models stop repeating there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from experiments.repeat_one_token.sequences import PoolData

STANDS_OUT = 2.0
"""By this factor position 0's norm must be above that of other tokens, for a copy's norm to tell anything."""


@dataclass(frozen=True)
class FirstTokenLayer:
    """The layer where the norm at position 0 stands out most from that of different tokens after it."""

    row: int
    """In `norm`."""
    number: int
    factor: float
    """Median over the controls of all pools: norm at position 0 over the median one of the places after the first."""

    @property
    def stands_out(self) -> bool:
        """Whether a first token can be told by its norm."""
        return self.factor >= STANDS_OUT


@dataclass(frozen=True, eq=False)
class Norms:
    """Norms of one pool over that at position 0 of the same sequence, in one layer."""

    copies: Float[np.ndarray, "token repetition"]
    control: Float[np.ndarray, "token place"]
    own_control: Float[np.ndarray, " token"]
    """Of each token where it stands among different ones: median over the sequences that hold it after the first
    place, of the whole pool where none does."""
    by_layer: Float[np.ndarray, " layer"]
    by_layer_control: Float[np.ndarray, " layer"]

    @property
    def looks_first_at(self) -> Int[np.ndarray, " token"]:
        """The smallest n, 2 or more, whose copy has a norm nearer (as a factor) to position 0's than to the token's
        own among different ones; 0 where none has."""
        halfway = np.sqrt(self.own_control)[:, None]
        nearer = self.copies >= halfway
        nearer[:, 0] = False
        return np.where(nearer.any(axis=1), nearer.argmax(axis=1) + 1, 0)


def find_layer(pools: Sequence[PoolData], first: int) -> FirstTokenLayer | None:
    """Chosen on the controls of all pools, which hold no repetition; None without controls or norms.

    `first`: position of the first token after BOS.
    """
    controls = [data.control.norm for data in pools if data.control is not None and data.control.norm is not None]
    if not controls:
        return None
    norm = np.concatenate(controls)
    others = np.median(norm[:, :, first + 1 :], axis=2)
    factors = np.median(norm[:, :, 0] / np.maximum(others, np.finfo(np.float32).tiny), axis=0)
    row = int(np.argmax(factors))
    return FirstTokenLayer(row, pools[0].layers[row], float(factors[row]))


def relative_norms(data: PoolData, layer: FirstTokenLayer, first: int) -> Norms:
    """The norms of one pool in that layer. The pool must have a control."""
    assert data.control is not None and data.control.norm is not None
    assert data.repeated.norm is not None and data.tokens.control is not None
    copies, control = (_over_position_0(norm)[:, :, first:] for norm in (data.repeated.norm, data.control.norm))
    later = control[:, layer.row, 1:]
    stands = data.tokens.control[:, 1:]
    overall = float(np.median(later))
    own = [later[stands == token] for token in data.tokens.ids]
    return Norms(
        copies[:, layer.row],
        control[:, layer.row],
        np.array([float(np.median(found)) if len(found) else overall for found in own]),
        np.median(copies[:, :, 1:], axis=(0, 2)),
        np.median(control[:, :, 1:], axis=(0, 2)),
    )


def _over_position_0(norm: Float[np.ndarray, "token layer pos"]) -> Float[np.ndarray, "token layer pos"]:
    return norm / np.maximum(norm[:, :, :1], np.finfo(np.float32).tiny)
