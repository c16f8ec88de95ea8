"""Where attention heads look from the second half of a repeated sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor


class HeadScore(Enum):
    """What a head does in a repeated sequence: mean attention from second-half queries to one key."""

    INDUCTION = "induction"
    """To the token after the query's earlier copy."""
    PREV_TOKEN = "prev_token"
    """To the token just before the query."""
    DUPLICATE_TOKEN = "duplicate_token"
    """To the query's earlier copy itself."""

    def offset(self, seq_len: int) -> int:
        """How far back the key lies, in positions."""
        return {HeadScore.INDUCTION: seq_len - 1, HeadScore.PREV_TOKEN: 1, HeadScore.DUPLICATE_TOKEN: seq_len}[self]


@dataclass(frozen=True)
class Head:
    """One attention head."""

    layer: int
    head: int

    @property
    def label(self) -> str:
        """As papers write it: `L1H3`, layers and heads from 0."""
        return f"L{self.layer}H{self.head}"


def attention_by_offset(
    pattern: Float[Tensor, "batch head query key"],
    seq_len: int,
    first_query: int,
    counted: Bool[Tensor, "batch index"] | None = None,
) -> Float[Tensor, "batch head offset"]:
    """Mean attention to `key = query - offset` over the second half's queries, for offsets 0 to seq_len.

    The second half's queries are `first_query .. first_query + seq_len - 1`; `counted` says which of them take part
    (default: all). Reads the diagonals where they lie, without copying the pattern; float32 whatever the pattern's
    type. Raises `ValueError` where the halves do not fit.
    """
    n_query, n_key = pattern.shape[2:]
    first_key = first_query - seq_len
    if seq_len < 1 or first_key < 0 or first_query + seq_len > min(n_query, n_key):
        raise ValueError(f"two halves of {seq_len} ending at {first_query + seq_len} do not fit {n_query} x {n_key}")
    by_batch, by_head, by_query, by_key = pattern.stride()
    # Strides cannot be negative, so a row holds its keys from the farthest (offset seq_len) to the query itself.
    band = pattern.detach().as_strided(
        (*pattern.shape[:2], seq_len, seq_len + 1),
        (by_batch, by_head, by_query + by_key, by_key),
        pattern.storage_offset() + first_query * by_query + first_key * by_key,
    )
    if counted is None or bool(counted.all()):
        return band.mean(dim=2, dtype=torch.float32).flip(-1)
    weights = counted.to(band.device, torch.float32)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return torch.einsum("bhqo,bq->bho", band.float(), weights).flip(-1)


def stack_layers(layers: Sequence[Float[np.ndarray, "..."]], head_axis: int) -> Float[np.ndarray, "..."]:
    """Layers stacked in a new axis before that of heads; those with fewer heads than the widest are padded with NaN."""
    width = max(layer.shape[head_axis] for layer in layers)
    full = [
        layer
        if layer.shape[head_axis] == width
        else np.pad(
            layer,
            [(0, width - n if axis == head_axis else 0) for axis, n in enumerate(layer.shape)],
            constant_values=np.nan,
        )
        for layer in layers
    ]
    return np.stack(full, axis=head_axis)


def uniform_attention(seq_len: int, first_query: int) -> float:
    """The score of a head that attends to every earlier position and itself equally: what to judge scores against."""
    return float(np.mean([1 / (query + 1) for query in range(first_query, first_query + seq_len)]))


def top_heads(scores: Float[np.ndarray, "layer head"], n: int, layers: Sequence[int] | None = None) -> list[Head]:
    """The `n` heads with the highest scores, best first; equal scores in the order of layers and heads.

    `layers` are the layers' numbers in the model where not every layer has attention.
    """
    order = np.argsort(-scores, axis=None, kind="stable")[:n]
    numbers = layers if layers is not None else range(scores.shape[0])
    return [
        Head(int(numbers[row]), int(column)) for row, column in zip(*np.unravel_index(order, scores.shape), strict=True)
    ]
