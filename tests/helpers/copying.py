"""A model that copies by rule: after a token that occurred before it expects what followed then."""

from types import SimpleNamespace

import torch
from torch import nn

HEIGHT = 10.0
"""Logit of the token that is expected; all others have 0."""


class CopyRule(nn.Module):
    """Expects the token after the last earlier occurrence of the present one; nothing where there is none.

    In place of one of `misread` it expects the next id. Keeps no keys and values.
    """

    def __init__(self, d_vocab: int, misread: frozenset[int] = frozenset(), copies: bool = True) -> None:
        super().__init__()
        self.rows = nn.Linear(2, d_vocab, bias=False)
        self.misread, self.copies = misread, copies
        self.config = SimpleNamespace(pad_token_id=None)
        self.config.get_text_config = lambda: self.config

    def get_input_embeddings(self) -> nn.Module:
        """As transformers' models."""
        return self.rows

    def get_output_embeddings(self) -> nn.Module:
        """As transformers' models."""
        return self.rows

    def forward(
        self, input_ids: torch.Tensor, use_cache: bool = False, logits_to_keep: int | torch.Tensor = 0
    ) -> SimpleNamespace:
        """Logits at some positions."""
        d_vocab = self.rows.weight.shape[0]
        logits = torch.zeros(*input_ids.shape, d_vocab)
        for row, tokens in enumerate(input_ids.tolist()):
            followed: dict[int, int] = {}
            for place, token in enumerate(tokens):
                if token in followed and self.copies:
                    expected = followed[token]
                    logits[row, place, (expected + (expected in self.misread)) % d_vocab] = HEIGHT
                if place + 1 < len(tokens):
                    followed[token] = tokens[place + 1]
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        return SimpleNamespace(logits=logits[:, kept], past_key_values=None)
