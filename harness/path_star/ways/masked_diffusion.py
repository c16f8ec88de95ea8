"""Answers of a masked-diffusion model: a causal model reads a partly hidden answer and predicts the hidden nodes.

A row is the prompt, the answer with dummies at its hidden places, and once more a dummy for every node: the node is
predicted there. So a causal model sees on both sides of a hidden node, and boots like any other.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.path_star._lazy import torch
from harness.path_star.encoded import Rows
from harness.path_star.ways.batch import IGNORED, Batch
from harness.path_star.ways.way import Answers, Forward, Way


class MaskedDiffusion(Way):
    """Hidden nodes from those that are seen on either side; how many are hidden is drawn anew for every row.

    Uniform-rate masking (arXiv 2406.05183, its MLM-U), which has an encoder and a decoder there.
    """

    name, label, place = "masked_diffusion", "masked diffusion", 90

    @classmethod
    def n_added(cls, path_length: int) -> int:
        """A dummy for every node."""
        return path_length

    @property
    def query_shift(self) -> int:
        """A node is predicted at its own dummy, after all nodes."""
        return self.codec.task.path_length + 1

    def arrange(self, batch: Batch) -> tuple[Int[torch.Tensor, "batch seen"], Int[torch.Tensor, "batch seen"]]:
        """Prompt, partly hidden answer and a dummy for each node; the hidden ones are to be predicted."""
        nodes, device = batch.nodes, batch.tokens.device
        # Every number of hidden nodes is drawn as often, from one to all.
        order = torch.rand(nodes.shape, device=device).argsort(dim=1).argsort(dim=1)
        n_hidden = torch.randint(1, nodes.shape[1] + 1, (len(nodes), 1), device=device)
        hidden = order < n_hidden
        inputs = self._hide(batch.tokens, batch.prompt, hidden)
        labels = torch.full_like(inputs, IGNORED)
        labels[:, -nodes.shape[1] :] = nodes.masked_fill(~hidden, IGNORED)
        return inputs, labels

    def reads(self, rows: Rows) -> Int[np.ndarray, "row seen"]:
        """The first round: all nodes are hidden."""
        hidden = torch.ones(rows.node_start.shape, dtype=torch.bool)
        return self._hide(torch.from_numpy(rows.tokens), rows.sizes[0], hidden).numpy()

    def generate(self, forward: Forward, rows: Rows, n_given: int = 0) -> Answers:
        """One node a round, the one the model is surest of (as MaskGIT, arXiv 2202.04200); of equally sure ones the
        first. A node's round counts from 1; 0 is for one that was given."""
        prompt, n_nodes = rows.sizes
        tokens = torch.from_numpy(rows.tokens.copy())
        hidden = (torch.arange(n_nodes) >= n_given).expand(len(rows), n_nodes).clone()
        round_of = torch.zeros(len(rows), n_nodes, dtype=torch.long)
        row = torch.arange(len(rows))
        for number in range(1, n_nodes - n_given + 1):
            best = self._logits(forward, tokens, prompt, hidden).float().log_softmax(dim=-1).max(dim=-1)
            surest = best.values.masked_fill(~hidden, float("-inf")).argmax(dim=-1)
            tokens[row, prompt + surest] = best.indices[row, surest]
            hidden[row, surest] = False
            round_of[row, surest] = number
        rounds = {f"position_{node}/round": column for node, column in enumerate(round_of.T.numpy(), start=1)}
        return Answers(tokens.numpy(), rounds)

    def forced(self, forward: Forward, rows: Rows) -> Int[np.ndarray, "row pos"]:
        """Predictions with the true nodes before each seen, and it and all after it hidden."""
        prompt, n_nodes = rows.sizes
        predicted = rows.tokens.copy()
        tokens = torch.from_numpy(rows.tokens)
        for node in range(n_nodes):
            hidden = (torch.arange(n_nodes) >= node).expand(len(tokens), n_nodes)
            logits = self._logits(forward, tokens, prompt, hidden)
            predicted[:, prompt + node] = logits[:, node].argmax(dim=-1).numpy()
        return predicted

    def _hide(
        self, tokens: Int[torch.Tensor, "batch pos"], prompt: int, hidden: Bool[torch.Tensor, "batch node"]
    ) -> Int[torch.Tensor, "batch seen"]:
        """What the model reads of rows whose answer is hidden at some places."""
        nodes, dummy = tokens[:, prompt:], self.codec.dummy_id
        return torch.cat([tokens[:, :prompt], nodes.masked_fill(hidden, dummy), torch.full_like(nodes, dummy)], dim=1)

    def _logits(
        self,
        forward: Forward,
        tokens: Int[torch.Tensor, "batch pos"],
        prompt: int,
        hidden: Bool[torch.Tensor, "batch node"],
    ) -> Float[torch.Tensor, "batch node d_vocab"]:
        return forward(self._hide(tokens, prompt, hidden))[:, -hidden.shape[1] :].cpu()
