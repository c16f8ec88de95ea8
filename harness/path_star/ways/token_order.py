"""The order of the tokens to come."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float

from harness.path_star._lazy import torch
from harness.path_star.ways.batch import Batch
from harness.path_star.ways.token_by_token import TokenByToken
from harness.path_star.ways.way import ModelSizes, Trunk


class TokenOrder(TokenByToken):
    """Beside the next token, the order in which later tokens appear, from one more unembedding (arXiv 2508.19228).

    A token's target is its closeness, `window - distance`, or minus infinity where it does not come; the loss is the
    cross-entropy between softmax(targets / order_temperature) and softmax(scores). It is taken wherever a token of
    the answer comes within the answer's length: at the question's last tokens, too, so that the goal itself predicts
    the node before it.
    """

    name, label, place = "token_order", "token order", 50
    has_settings = True

    def modules(self, sizes: ModelSizes) -> Mapping[str, torch.nn.Module]:
        """The further unembedding."""
        order = torch.nn.Linear(sizes.d_model, sizes.vocab_size, bias=False)
        torch.nn.init.normal_(order.weight, std=0.02)
        return {"order": order}

    def added_loss(self, modules: torch.nn.ModuleDict, trunk: Trunk, batch: Batch) -> Float[torch.Tensor, ""]:
        """Mean over the positions before which some of the answer is still to come."""
        targets = closeness(batch, trunk.unembedding.weight.shape[0])
        at = torch.isfinite(targets).any(dim=-1)
        scores, targets = modules["order"](trunk.hidden[at]).float(), targets[at]
        wanted = (targets / self.settings.order_temperature).softmax(dim=-1)
        return self.settings.added_weight * torch.nn.functional.cross_entropy(scores, wanted)


def closeness(batch: Batch, vocab_size: int) -> Float[torch.Tensor, "batch pos d_vocab"]:
    """Closeness of every token at every position."""
    window = batch.tokens.shape[1]
    found = torch.full((*batch.tokens.shape, vocab_size), float("-inf"), device=batch.tokens.device)
    # From the farthest to the nearest place ahead: of a token that occurs twice, the nearest is written last and kept.
    for ahead in range(int((batch.length - batch.prompt_length).max()), 0, -1):
        comes = batch.answers_ahead(ahead)[..., None]
        index = batch.tokens_ahead(ahead)[..., None]
        found = found.scatter(-1, index, torch.where(comes, float(window - ahead), found.gather(-1, index)))
    return found
