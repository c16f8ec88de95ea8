"""Several tokens ahead."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float

from harness.path_star._lazy import torch
from harness.path_star.ways.batch import Batch
from harness.path_star.ways.token_by_token import TokenByToken
from harness.path_star.ways.way import ModelSizes, Trunk


class MultiToken(TokenByToken):
    """Beside the next token, those after it, each from a transformer block of its own (arXiv 2404.19737).

    The blocks read the same hidden states and share the unembedding. A token of the answer is predicted from every
    position that is so many places before it, those of the question included.
    """

    name, label, place = "multi_token", "multi-token", 40
    has_settings = True

    def modules(self, sizes: ModelSizes) -> Mapping[str, torch.nn.Module]:
        """A block, and a norm after it, for every further token."""
        n_more = max((self.settings.horizon or max(self.codec.task.path_length - 2, 2)) - 1, 1)
        return {
            "blocks": torch.nn.ModuleList(_causal_blocks(sizes, n_more)),
            "norms": torch.nn.ModuleList(torch.nn.LayerNorm(sizes.d_model) for _ in range(n_more)),
        }

    def added_loss(self, modules: torch.nn.ModuleDict, trunk: Trunk, batch: Batch) -> Float[torch.Tensor, ""]:
        """Sum over the further tokens of their mean cross-entropy over the answer's positions."""
        total = trunk.hidden.new_zeros((), dtype=torch.float32)
        pairs = zip(modules["blocks"].children(), modules["norms"].children(), strict=True)
        for ahead, (block, norm) in enumerate(pairs, start=2):
            at = batch.answers_ahead(ahead)
            if not bool(at.any()):
                continue
            logits = trunk.unembedding(norm(block(trunk.hidden))[at]).float()
            total = total + torch.nn.functional.cross_entropy(logits, batch.tokens_ahead(ahead)[at])
        return self.settings.added_weight * total


def _causal_blocks(sizes: ModelSizes, n: int) -> list[torch.nn.Module]:
    """GPT-2 blocks, whatever the trunk is."""
    # Only here, where training has begun: configs are composed and pictures drawn without transformers.
    from transformers import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block

    from harness.training import attention

    config = GPT2Config(n_embd=sizes.d_model, n_head=sizes.n_heads, activation_function="relu", attn_pdrop=0.0,
                        resid_pdrop=0.0, embd_pdrop=0.0)  # fmt: skip
    # Rows are padded on the right only, where no position with a loss looks: causal attention needs no other mask.
    config._attn_implementation = attention.register()
    blocks: list[torch.nn.Module] = [GPT2Block(config, layer_idx=number) for number in range(n)]
    for block in blocks:
        for parameter in block.parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.02)
    return blocks
