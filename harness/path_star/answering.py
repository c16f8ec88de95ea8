"""Answers of a model to many graphs, some at a time, and which of them are right."""

import numpy as np
from jaxtyping import Bool, Int

from harness.path_star.encoded import Rows
from harness.path_star.ways.way import Answers, Forward, Way

ROWS_PER_PASS = 512


def answer(way: Way, forward: Forward, rows: Rows, n_given: int = 0) -> Answers:
    """The model's own answers, which go on from the first `n_given` nodes of the rows' answers."""
    parts = [way.generate(forward, part, n_given) for part in _parts(rows)]
    measured = {name: np.concatenate([part.measured[name] for part in parts]) for name in parts[0].measured}
    return Answers(np.concatenate([part.tokens for part in parts]), measured)


def predict_forced(way: Way, forward: Forward, rows: Rows) -> Int[np.ndarray, "row pos"]:
    """The rows with the model's prediction for every node, given the truth before it, in place of the node."""
    return np.concatenate([way.forced(forward, part) for part in _parts(rows)])


def _parts(rows: Rows) -> list[Rows]:
    return [rows[first : first + ROWS_PER_PASS] for first in range(0, len(rows), ROWS_PER_PASS)]


def nodes_right(written: Int[np.ndarray, "row pos"], rows: Rows) -> Bool[np.ndarray, "row node"]:
    """Whether every token of a node is the true one, for each node of the answer."""
    at = np.arange(rows.tokens.shape[1])
    inside = (at >= rows.node_start[..., None]) & (at < rows.node_stop[..., None])
    right: np.ndarray = ~(inside & (written != rows.tokens)[:, None, :]).any(axis=-1)
    return right


def answers_right(written: Int[np.ndarray, "row pos"], rows: Rows) -> Bool[np.ndarray, " row"]:
    """Whether the whole answer is the true one, separators included."""
    right: np.ndarray = ~((written != rows.tokens) & rows.in_answer).any(axis=-1)
    return right
