"""Answers of a model that writes the path from goal to start first, and then the answer."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from harness.path_star.encoded import Rows
from harness.path_star.forward import Forward


@dataclass(frozen=True)
class Thought:
    """Answers, and what was written before each."""

    said: Int[np.ndarray, "row pos"]
    """The rows with the model's nodes, from start to goal."""
    scratch: Int[np.ndarray, "row node"]
    """The scratchpad's tokens, in the order in which they were written: from the goal, where they are right."""


def with_scratchpad(tokens: Int[Tensor, "batch pos"], prompt: int) -> Int[Tensor, "batch seen"]:
    """The prompt, its nodes from goal to start, and the answer."""
    nodes = tokens[:, prompt:]
    return torch.cat([tokens[:, :prompt], nodes.flip(1), nodes], dim=1)


def generate(forward: Forward, rows: Rows, n_given: int = 0) -> Thought:
    """Greedy: a scratchpad of the model's own, then the rows' first `n_given` nodes, then the rest of the answer."""
    prompt, n_nodes = rows.sizes
    tokens = torch.from_numpy(rows.tokens.copy())
    written = _write(forward, tokens[:, :prompt], n_nodes)
    scratch = written[:, prompt:].numpy()
    written = torch.cat([written, tokens[:, prompt : prompt + n_given]], dim=1)
    tokens[:, prompt : prompt + n_nodes] = _write(forward, written, n_nodes - n_given)[:, -n_nodes:]
    return Thought(tokens.numpy(), scratch)


def _write(forward: Forward, written: Int[Tensor, "batch seen"], n: int) -> Int[Tensor, "batch longer"]:
    for _ in range(n):
        chosen = forward(written)[:, -1].argmax(dim=-1).cpu()
        written = torch.cat([written, chosen[:, None]], dim=1)
    return written


def said_when_forced(forward: Forward, rows: Rows) -> Int[np.ndarray, "row pos"]:
    """The model's choice for every node of the answer behind the true scratchpad and the true nodes before it."""
    prompt, n_nodes = rows.sizes
    said = rows.tokens.copy()
    chosen = forward(with_scratchpad(torch.from_numpy(said), prompt)[:, :-1]).argmax(dim=-1).cpu()
    said[:, prompt : prompt + n_nodes] = chosen[:, -n_nodes:].numpy()
    return said
