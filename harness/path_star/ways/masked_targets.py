"""Next-token training from answers with holes."""

from __future__ import annotations

from jaxtyping import Int

from harness.path_star._lazy import torch
from harness.path_star.ways.batch import Batch
from harness.path_star.ways.token_by_token import TokenByToken


class MaskedTargets(TokenByToken):
    """Teacher forcing with dummies in place of some of the answer's tokens (arXiv 2503.10542, token masking).

    A node whose predecessor is hidden has to be found from the goal. Masks are drawn anew for every step.
    """

    name, label, place = "masked_targets", "masked targets", 70
    has_settings = True

    def inputs(self, batch: Batch) -> Int[torch.Tensor, "batch pos"]:
        """Prompt and answer, the latter with dummies at random places."""
        device = batch.tokens.device
        if self.settings.mask_share is None:
            share = torch.rand(len(batch.tokens), 1, device=device)
        else:
            share = torch.full((len(batch.tokens), 1), self.settings.mask_share, device=device)
        drawn = torch.rand(batch.tokens.shape, device=device) < share
        return torch.where(drawn, batch.hide_answer(self.codec.dummy_id), batch.tokens)
