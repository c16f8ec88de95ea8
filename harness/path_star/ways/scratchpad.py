"""Answers after a scratchpad."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from harness.path_star._lazy import torch
from harness.path_star.encoded import Rows
from harness.path_star.ways.batch import IGNORED, Batch
from harness.path_star.ways.reversed import Reversed
from harness.path_star.ways.way import Answers, Forward, Way


class Scratchpad(Way):
    """Teacher forcing on rows that write the path from goal to start before the answer (arXiv 2503.10542).

    Every node of the scratchpad follows from the one before it along an edge, backwards; the answer is its reverse.
    """

    name, label, place = "scratchpad", "scratchpad", 100
    plans_as = Reversed

    @classmethod
    def n_added(cls, path_length: int) -> int:
        """The scratchpad."""
        return path_length

    def arrange(self, batch: Batch) -> tuple[Int[torch.Tensor, "batch seen"], Int[torch.Tensor, "batch seen"]]:
        """Prompt, scratchpad and answer; every node of both is to be predicted."""
        inputs = _with_scratchpad(batch.tokens, batch.prompt)
        labels = torch.full_like(inputs, IGNORED)
        labels[:, batch.prompt - 1 : -1] = inputs[:, batch.prompt :]
        return inputs, labels

    def reads(self, rows: Rows) -> Int[np.ndarray, "row seen"]:
        """Prompt, true scratchpad, and true answer but for its last node."""
        return _with_scratchpad(torch.from_numpy(rows.tokens), rows.sizes[0])[:, :-1].numpy()

    def generate(self, forward: Forward, rows: Rows, n_given: int = 0) -> Answers:
        """Greedy: a scratchpad of the model's own, then the nodes given, then the rest of the answer."""
        prompt, n_nodes = rows.sizes
        tokens = torch.from_numpy(rows.tokens.copy())
        written = _write(forward, tokens[:, :prompt], n_nodes)
        right = (written[:, prompt:] == tokens[:, prompt : prompt + n_nodes].flip(1)).all(dim=1).numpy()
        written = torch.cat([written, tokens[:, prompt : prompt + n_given]], dim=1)
        tokens[:, prompt : prompt + n_nodes] = _write(forward, written, n_nodes - n_given)[:, -n_nodes:]
        return Answers(tokens.numpy(), {"scratchpad/exact_match": right})

    def forced(self, forward: Forward, rows: Rows) -> Int[np.ndarray, "row pos"]:
        """Predictions after the true scratchpad and the true nodes before each."""
        prompt, n_nodes = rows.sizes
        predicted = rows.tokens.copy()
        chosen = forward(torch.from_numpy(self.reads(rows))).argmax(dim=-1).cpu()
        predicted[:, prompt : prompt + n_nodes] = chosen[:, -n_nodes:].numpy()
        return predicted


def _with_scratchpad(tokens: Int[torch.Tensor, "batch pos"], prompt: int) -> Int[torch.Tensor, "batch seen"]:
    nodes = tokens[:, prompt:]
    return torch.cat([tokens[:, :prompt], nodes.flip(1), nodes], dim=1)


def _write(forward: Forward, written: Int[torch.Tensor, "batch seen"], n: int) -> Int[torch.Tensor, "batch longer"]:
    for _ in range(n):
        chosen = forward(written)[:, -1].argmax(dim=-1).cpu()
        written = torch.cat([written, chosen[:, None]], dim=1)
    return written
