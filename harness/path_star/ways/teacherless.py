"""All of the answer at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from harness.path_star._lazy import torch
from harness.path_star.encoded import Rows
from harness.path_star.ways.batch import Batch
from harness.path_star.ways.token_by_token import TokenByToken
from harness.path_star.ways.way import Answers, Forward


class Teacherless(TokenByToken):
    """No true token of the answer goes in: dummies stand there, in training and in use (arXiv 2403.06963)."""

    name, label, place = "teacherless", "teacherless", 10
    reads_answer = False

    def inputs(self, batch: Batch) -> Int[torch.Tensor, "batch pos"]:
        """Dummies in place of the answer."""
        return batch.hide_answer(self.codec.dummy_id)

    def reads(self, rows: Rows) -> Int[np.ndarray, "row seen"]:
        """Dummies in place of the answer."""
        return np.where(rows.in_answer, self.codec.dummy_id, rows.tokens)[:, :-1]

    def generate(self, forward: Forward, rows: Rows, n_given: int = 0) -> Answers:  # noqa: ARG002
        """One pass: there is no truth to go on from."""
        return Answers(self.forced(forward, rows))
