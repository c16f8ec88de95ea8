"""Answers from left to right, each token fed back: what next-token training and its relatives have in common."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Int

from harness.path_star._lazy import torch
from harness.path_star.encoded import Rows
from harness.path_star.ways.batch import IGNORED, Batch
from harness.path_star.ways.way import Answers, Forward, Way


class TokenByToken(Way):
    """Each token of the answer from all true ones before it in training, from the model's own in use."""

    forced_tells_all: ClassVar[bool] = True

    def arrange(self, batch: Batch) -> tuple[Int[torch.Tensor, "batch pos"], Int[torch.Tensor, "batch pos"]]:
        """The rows, and for every position before a token of the answer that token."""
        return self.inputs(batch), self.labels(batch)

    def inputs(self, batch: Batch) -> Int[torch.Tensor, "batch pos"]:
        """What the model reads: prompt and true answer."""
        return batch.tokens

    def labels(self, batch: Batch) -> Int[torch.Tensor, "batch pos"]:
        """What it is to predict at every position, `IGNORED` where nothing."""
        return batch.next_tokens.masked_fill(~batch.answer_at, IGNORED)

    def reads(self, rows: Rows) -> Int[np.ndarray, "row seen"]:
        """Prompt and true answer but for its last token."""
        return rows.tokens[:, :-1]

    def generate(self, forward: Forward, rows: Rows, n_given: int = 0) -> Answers:
        """As many tokens, chosen greedily, as the true answer has."""
        tokens = torch.from_numpy(rows.tokens.copy())
        at, row = torch.arange(tokens.shape[1]), torch.arange(len(rows))
        begin = rows.node_stop[:, n_given - 1] if n_given else rows.prompt_length
        start, length = torch.from_numpy(begin), torch.from_numpy(rows.length)
        tokens[at >= start[:, None]] = self.codec.pad_id
        for step in range(int((length - start).max())):
            place = (start + step).clamp(max=tokens.shape[1] - 1)
            # Rows of unequal length: a causal model does not look at what stands to the right of a row's place.
            logits = forward(tokens[:, : int(place.max())]).cpu()
            chosen = logits[row, place - 1].argmax(dim=-1)
            is_open = start + step < length
            tokens[row[is_open], place[is_open]] = chosen[is_open]
        return Answers(tokens.numpy())

    def forced(self, forward: Forward, rows: Rows) -> Int[np.ndarray, "row pos"]:
        """One pass over the true rows."""
        chosen = forward(torch.from_numpy(self.reads(rows))).argmax(dim=-1).cpu().numpy()
        predicted = rows.tokens.copy()
        predicted[:, 1:] = np.where(rows.in_answer[:, 1:], chosen, predicted[:, 1:])
        return predicted
