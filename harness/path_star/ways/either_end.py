"""Answers from whichever end the model is surer of: a sign after the prompt says from which."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.path_star._lazy import torch
from harness.path_star.encoded import Rows
from harness.path_star.ways.batch import IGNORED, Batch
from harness.path_star.ways.way import Answers, Forward, Way


class EitherEnd(Way):
    """The answer from start to goal or from goal to start, a sign before it says which; drawn anew for every row.

    In use the model writes both and keeps the likelier one, as masked diffusion begins where it is surest (that such
    models decode path-star graphs from the goal: arXiv 2602.19980). Nothing in training marks the easier end.
    """

    name, label, place = "either_end", "either end", 80
    has_signs = True

    @classmethod
    def n_added(cls, path_length: int) -> int:  # noqa: ARG003
        """The sign."""
        return 1

    @property
    def query_shift(self) -> int:
        """The sign moves the answer by one."""
        return 1

    def arrange(self, batch: Batch) -> tuple[Int[torch.Tensor, "batch seen"], Int[torch.Tensor, "batch seen"]]:
        """Prompt, sign and nodes; the next node is predicted at the sign and at every node but the last."""
        from_goal = torch.rand(len(batch.tokens), device=batch.tokens.device) < 0.5
        inputs = self._signed(batch.tokens, batch.prompt, from_goal)
        labels = torch.full_like(inputs, IGNORED)
        labels[:, batch.prompt : -1] = inputs[:, batch.prompt + 1 :]
        return inputs, labels

    def reads(self, rows: Rows) -> Int[np.ndarray, "row seen"]:
        """The sign for the start, and the true answer."""
        return self._from_start(rows)[:, :-1].numpy()

    def generate(self, forward: Forward, rows: Rows, n_given: int = 0) -> Answers:
        """Greedy from both ends; of a row's two answers the one that the model gives the higher probability.

        With nodes given it goes on from the start.
        """
        from_start, likely_start = self._write(forward, rows, from_goal=False, n_given=n_given)
        if n_given:
            return Answers(from_start)
        from_goal, likely_goal = self._write(forward, rows, from_goal=True)
        keeps = likely_goal > likely_start
        return Answers(np.where(keeps[:, None], from_goal, from_start), {"either_end/from_goal": keeps})

    def forced(self, forward: Forward, rows: Rows) -> Int[np.ndarray, "row pos"]:
        """Predictions from the start."""
        prompt, n_nodes = rows.sizes
        predicted = rows.tokens.copy()
        chosen = forward(self._from_start(rows)).argmax(dim=-1).cpu()
        predicted[:, prompt : prompt + n_nodes] = chosen[:, prompt : prompt + n_nodes].numpy()
        return predicted

    def _from_start(self, rows: Rows) -> Int[torch.Tensor, "row seen"]:
        return self._signed(torch.from_numpy(rows.tokens), rows.sizes[0], torch.zeros(len(rows), dtype=torch.bool))

    def _signed(
        self, tokens: Int[torch.Tensor, "batch pos"], prompt: int, from_goal: Bool[torch.Tensor, " batch"]
    ) -> Int[torch.Tensor, "batch seen"]:
        """The prompt, the sign, and the nodes in the order that it announces."""
        nodes = tokens[:, prompt:]
        nodes = torch.where(from_goal[:, None], nodes.flip(1), nodes)
        return torch.cat([tokens[:, :prompt], (self.codec.first_sign + from_goal.long())[:, None], nodes], dim=1)

    def _write(
        self, forward: Forward, rows: Rows, from_goal: bool, n_given: int = 0
    ) -> tuple[Int[np.ndarray, "row pos"], Float[np.ndarray, " row"]]:
        """Greedy answers from one end, and the log-probability of each."""
        prompt, n_nodes = rows.sizes
        tokens = torch.from_numpy(rows.tokens.copy())
        written = self._signed(tokens, prompt, torch.full((len(rows),), from_goal))[:, : prompt + 1 + n_given]
        likely = torch.zeros(len(rows))
        for _ in range(n_given, n_nodes):
            best = forward(written)[:, -1].float().log_softmax(dim=-1).cpu().max(dim=-1)
            likely += best.values
            written = torch.cat([written, best.indices[:, None]], dim=1)
        nodes = written[:, prompt + 1 :]
        tokens[:, prompt : prompt + n_nodes] = nodes.flip(1) if from_goal else nodes
        return tokens.numpy(), likely.numpy()
