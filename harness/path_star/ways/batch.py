"""Rows of one training step, and where in them a loss may lie."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Int

from harness.path_star._lazy import torch

IGNORED = -100
"""Label of a position without loss (PyTorch's own convention)."""


@dataclass(frozen=True)
class Batch:
    """Rows of one step; `answer_at` marks the positions whose next token belongs to the answer."""

    tokens: Int[torch.Tensor, "batch pos"]
    prompt_length: Int[torch.Tensor, " batch"]
    length: Int[torch.Tensor, " batch"]
    first_start: Int[torch.Tensor, " batch"]
    """Where the answer's second node begins: the first step, which has to choose an arm."""
    first_stop: Int[torch.Tensor, " batch"]

    @property
    def at(self) -> Int[torch.Tensor, " pos"]:
        """The number of every position."""
        return torch.arange(self.tokens.shape[1], device=self.tokens.device)

    @property
    def prompt(self) -> int:
        """Tokens of the prompt, in rows that are all alike."""
        return int(self.prompt_length[0])

    @property
    def nodes(self) -> Int[torch.Tensor, "batch node"]:
        """The answers of rows that are all alike, with one token a node."""
        return self.tokens[:, self.prompt :]

    @property
    def answer_at(self) -> Bool[torch.Tensor, "batch pos"]:
        """True from the prompt's last token to the last but one of the answer."""
        return self.answers_ahead(1)

    @property
    def next_tokens(self) -> Int[torch.Tensor, "batch pos"]:
        """The token that follows every position; for the last position its own, which no loss uses."""
        return self.tokens_ahead(1)

    def answers_ahead(self, ahead: int) -> Bool[torch.Tensor, "batch pos"]:
        """Where the token `ahead` places further belongs to the answer; the place itself may be the prompt's."""
        at = self.at + ahead
        return (at >= self.prompt_length[:, None]) & (at < self.length[:, None])

    def has_token(self, ahead: int) -> Bool[torch.Tensor, "batch pos"]:
        """Where the token `ahead` places further still belongs to the row."""
        return self.at + ahead < self.length[:, None]

    def tokens_ahead(self, ahead: int) -> Int[torch.Tensor, "batch pos"]:
        """The token `ahead` places further; the row's last column where there is none."""
        return self.tokens[:, (self.at + ahead).clamp(max=self.tokens.shape[1] - 1)]

    def hide_answer(self, dummy_id: int) -> Int[torch.Tensor, "batch pos"]:
        """The rows with dummies in place of the answer."""
        return self.tokens.masked_fill(self.answers_ahead(0), dummy_id)
