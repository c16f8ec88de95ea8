"""The model's own next hidden states."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float

from harness.path_star._lazy import torch
from harness.path_star.ways.batch import Batch
from harness.path_star.ways.token_by_token import TokenByToken
from harness.path_star.ways.way import ModelSizes, Trunk


class NextLatent(TokenByToken):
    """Beside the next token, the model's own next hidden state, from this one and the next token (arXiv 2511.05963).

    A small network steps from hidden state to hidden state, `horizon` times over. Each step is compared with the true
    state by a smooth L1 distance, and with the true next-token distribution by its KL divergence through the
    unembedding; no gradient flows into either.
    """

    name, label, place = "next_latent", "next latent", 60
    has_settings = True

    def modules(self, sizes: ModelSizes) -> Mapping[str, torch.nn.Module]:
        """The network of one step, and the norm of what it reads."""
        nn, width = torch.nn, sizes.d_model
        return {
            "norm": nn.LayerNorm(2 * width),
            "network": nn.Sequential(
                nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
            ),
        }

    def added_loss(self, modules: torch.nn.ModuleDict, trunk: Trunk, batch: Batch) -> Float[torch.Tensor, ""]:
        """Mean over the steps; hidden states of the whole row, distributions of the answer's positions."""
        functional = torch.nn.functional
        state, truth = trunk.hidden, trunk.hidden.detach()
        weight = trunk.unembedding.weight.detach()
        bias = None if trunk.unembedding.bias is None else trunk.unembedding.bias.detach()
        logits = functional.linear(truth, weight, bias)
        total = trunk.hidden.new_zeros((), dtype=torch.float32)
        n_pos, horizon = state.shape[1], self.settings.horizon or max(self.codec.task.path_length - 2, 1)
        for ahead in range(1, min(horizon, n_pos - 1) + 1):
            embedded = trunk.embedding(batch.tokens_ahead(ahead)[:, : n_pos - ahead])
            before = state[:, : n_pos - ahead]
            state = before + modules["network"](modules["norm"](torch.cat([before, embedded], dim=-1)))
            known = batch.has_token(ahead)[:, : n_pos - ahead]
            total = total + functional.smooth_l1_loss(state[known].float(), truth[:, ahead:][known].float())
            at = batch.answer_at[:, ahead:] & known
            if bool(at.any()):
                wanted = logits[:, ahead:][at].float().log_softmax(dim=-1)
                found = functional.linear(state[at], weight, bias).float().log_softmax(dim=-1)
                total = total + functional.kl_div(found, wanted, log_target=True, reduction="batchmean")
        return self.settings.added_weight * total / horizon
