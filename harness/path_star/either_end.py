"""Answers of a model that may write from either end: a sign behind the prompt says from which."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.path_star.encoded import Rows
from harness.path_star.forward import Forward


@dataclass(frozen=True)
class Written:
    """Answers, each the likelier of the two that the model would write."""

    said: Int[np.ndarray, "row pos"]
    """The rows with the model's nodes, from start to goal."""
    from_goal: Bool[np.ndarray, " row"]
    """Whether the answer kept was written from the goal."""


def generate(forward: Forward, rows: Rows, first_sign: int, n_given: int = 0) -> Written:
    """Greedy from both ends; of a row's two answers the one that the model gives the higher probability.

    Behind the rows' first `n_given` nodes it goes on from the start.
    """
    from_start, likely_start = _write(forward, rows, first_sign, from_goal=False, n_given=n_given)
    if n_given:
        return Written(from_start, np.zeros(len(rows), dtype=bool))
    from_goal, likely_goal = _write(forward, rows, first_sign, from_goal=True)
    keeps = likely_goal > likely_start
    return Written(np.where(keeps[:, None], from_goal, from_start), keeps)


def said_from_start(forward: Forward, rows: Rows, first_sign: int) -> Int[np.ndarray, "row pos"]:
    """The model's first choice for every node when it is asked from the start and told the truth."""
    prompt, n_nodes = rows.sizes
    tokens = torch.from_numpy(rows.tokens.copy())
    is_from_goal = torch.zeros(len(rows), dtype=torch.bool)
    chosen = forward(write_from_end(tokens, prompt, is_from_goal, first_sign)).argmax(dim=-1).cpu()
    tokens[:, prompt : prompt + n_nodes] = chosen[:, prompt : prompt + n_nodes]
    return tokens.numpy()


def write_from_end(
    tokens: Int[Tensor, "batch pos"], prompt: int, from_goal: Bool[Tensor, " batch"], first_sign: int
) -> Int[Tensor, "batch seen"]:
    """The prompt, the sign (`first_sign`: from the start, the next one: from the goal), the nodes in that order."""
    nodes = tokens[:, prompt:]
    nodes = torch.where(from_goal[:, None], nodes.flip(1), nodes)
    return torch.cat([tokens[:, :prompt], (first_sign + from_goal.long())[:, None], nodes], dim=1)


def _write(
    forward: Forward, rows: Rows, first_sign: int, from_goal: bool, n_given: int = 0
) -> tuple[Int[np.ndarray, "row pos"], Float[np.ndarray, " row"]]:
    prompt, n_nodes = rows.sizes
    tokens = torch.from_numpy(rows.tokens.copy())
    ends = torch.full((len(rows),), from_goal)
    written = write_from_end(tokens, prompt, ends, first_sign)[:, : prompt + 1 + n_given]
    likely = torch.zeros(len(rows))
    for _ in range(n_given, n_nodes):
        best = forward(written)[:, -1].float().log_softmax(dim=-1).cpu().max(dim=-1)
        likely += best.values
        written = torch.cat([written, best.indices[:, None]], dim=1)
    nodes = written[:, prompt + 1 :]
    tokens[:, prompt : prompt + n_nodes] = nodes.flip(1) if from_goal else nodes
    return tokens.numpy(), likely.numpy()
