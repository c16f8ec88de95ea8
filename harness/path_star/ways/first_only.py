"""The first step without the rest."""

from __future__ import annotations

from jaxtyping import Int

from harness.path_star._lazy import torch
from harness.path_star.ways.batch import IGNORED, Batch
from harness.path_star.ways.token_by_token import TokenByToken


class FirstOnly(TokenByToken):
    """The loss of the first step alone: without the rest of the answer there is nothing to cheat with."""

    name, label, place = "first_only", "first step only", 30
    gives_whole_answers = False

    def labels(self, batch: Batch) -> Int[torch.Tensor, "batch pos"]:
        """The answer's second node (its first is the start, which the prompt names)."""
        chooses = (batch.at >= batch.first_start[:, None] - 1) & (batch.at < batch.first_stop[:, None] - 1)
        return super().labels(batch).masked_fill(~chooses, IGNORED)
