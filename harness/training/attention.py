"""Causal attention as plain matrix products, for training on a CPU.

With PyTorch's fused attention in bf16 a training step takes about 1.3 times as long (`benchmarks/pocket_trainer.py`).
Registered with transformers under `NAME`, for training only: a shipped organism names no attention of ours.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AttentionInterface

NAME = "harness_causal"


def register() -> str:
    """Make the attention known to transformers; returns the name to ask for it by."""

    AttentionInterface.register(NAME, causal_attention)
    return NAME


def causal_attention(
    module: Any,
    query: Float[Tensor, "batch head pos d_head"],
    key: Float[Tensor, "batch head pos d_head"],
    value: Float[Tensor, "batch head pos d_head"],
    attention_mask: Any = None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Float[Tensor, "batch pos head d_head"], None]:
    """Every position attends to itself and what came before. No padding, no cache, no dropout: rows are full."""

    del module, attention_mask
    batch, heads, n_pos, d_head = query.shape
    q, k, v = (x.reshape(batch * heads, n_pos, d_head) for x in (query, key, value))
    later = torch.full((n_pos, n_pos), float("-inf"), dtype=q.dtype, device=q.device).triu(1)
    scale = d_head**-0.5 if scaling is None else scaling
    scores = torch.baddbmm(later.expand(batch * heads, n_pos, n_pos), q, k.transpose(1, 2), alpha=scale)
    # With the dtype given, autocast leaves the softmax in bf16, which halves the memory traffic.
    out = torch.bmm(torch.softmax(scores, dim=-1, dtype=scores.dtype), v)
    return out.view(batch, heads, n_pos, d_head).transpose(1, 2), None
