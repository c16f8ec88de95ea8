"""The training loss, over a few hundred positions at a time so that their logits stay in the processor's cache."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

CHUNK = 512


def next_token_loss(
    model: PreTrainedModel,
    tokens: Int[Tensor, "batch pos"],
    context: int,
    bf16: bool = True,
    left_out: Int[Tensor, " left_out"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy (nats) of every token but the first of each piece of `context` tokens; products in bf16
    or, without `bf16`, in fp32; the softmax in fp32.

    Equal to the model's own loss, with which a step takes about 1.3 times as long (`benchmarks/pocket_trainer.py`).
    """

    tokens = tokens.reshape(-1, context)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        hidden = model.base_model(tokens).last_hidden_state[:, :-1]
        positions = hidden.reshape(-1, hidden.shape[-1]).split(CHUNK)
        targets = tokens[:, 1:].reshape(-1).split(CHUNK)
        total, unembed = torch.zeros(()), model.get_output_embeddings()
        for part, target in zip(positions, targets, strict=True):
            logits = unembed(part).float()
            if left_out is not None:
                logits = logits.index_fill(-1, left_out, float("-inf"))
            total = total + cross_entropy(logits, target, reduction="sum")
    return total / tokens[:, 1:].numel()
