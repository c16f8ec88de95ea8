"""Answers of a model that may write the nodes in any order: each behind a token that names its place."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.path_star.rows import Rows

Forward = Callable[[Int[Tensor, "batch pos"]], Float[Tensor, "batch pos d_vocab"]]


@dataclass(frozen=True)
class Written:
    """Answers and the order in which they were written."""

    said: Int[np.ndarray, "row pos"]
    """The rows with the model's nodes, each in its place."""
    order: Int[np.ndarray, "row node"]
    """Places, from 0, in the order in which the model chose them; those given come first."""


def generate(forward: Forward, rows: Rows, first_slot: int, n_given: int = 0, rows_per_pass: int = 512) -> Written:
    """Greedy in node and place: of all places still open the one whose best node is likeliest.

    The first `n_given` nodes of the rows' own answers are written before the model chooses.
    """
    parts = [
        _generate(forward, rows[first : first + rows_per_pass], first_slot, n_given)
        for first in range(0, len(rows), rows_per_pass)
    ]
    said, order = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Written(said, order)


def _generate(forward: Forward, rows: Rows, first_slot: int, n_given: int) -> tuple[np.ndarray, np.ndarray]:
    prompt, n_nodes = int(rows.prompt_length[0]), rows.node_start.shape[1]
    tokens = torch.from_numpy(rows.tokens.copy())
    order = torch.arange(n_nodes).repeat(len(rows), 1)
    written = write_in_order(tokens, prompt, order, first_slot)[:, : prompt + 2 * n_given]
    is_open = torch.ones(len(rows), n_nodes, dtype=torch.bool)
    is_open[:, :n_given] = False
    row = torch.arange(len(rows))
    for step in range(n_given, n_nodes):
        sureness = torch.full((len(rows), n_nodes), float("-inf"))
        nodes = torch.zeros(len(rows), n_nodes, dtype=torch.long)
        for place in range(n_nodes):
            if not bool(is_open[:, place].any()):
                continue
            asked = torch.cat([written, torch.full((len(rows), 1), first_slot + place)], dim=1)
            best = forward(asked)[:, -1].float().log_softmax(dim=-1).cpu().max(dim=-1)
            sureness[:, place], nodes[:, place] = best.values, best.indices
        place_chosen = sureness.masked_fill(~is_open, float("-inf")).argmax(dim=1)
        node = nodes[row, place_chosen]
        order[:, step] = place_chosen
        is_open[row, place_chosen] = False
        tokens[row, prompt + place_chosen] = node
        written = torch.cat([written, (first_slot + place_chosen)[:, None], node[:, None]], dim=1)
    return tokens.numpy(), order.numpy()


def said_from_start(forward: Forward, rows: Rows, first_slot: int) -> Int[np.ndarray, "row pos"]:
    """The model's first choice for every node when it is asked from start to goal and told the truth."""
    prompt, n_nodes = int(rows.prompt_length[0]), rows.node_start.shape[1]
    tokens = torch.from_numpy(rows.tokens.copy())
    order = torch.arange(n_nodes).repeat(len(rows), 1)
    chosen = forward(write_in_order(tokens, prompt, order, first_slot)).argmax(dim=-1).cpu()
    tokens[:, prompt : prompt + n_nodes] = chosen[:, prompt::2]
    return tokens.numpy()


def write_in_order(
    tokens: Int[Tensor, "batch pos"], prompt: int, order: Int[Tensor, "batch node"], first_slot: int
) -> Int[Tensor, "batch seen"]:
    """The prompt, then for each number of `order` (from 0) the token of that place and the node that belongs there."""
    nodes = tokens[:, prompt:].gather(1, order)
    pairs = torch.stack([order + first_slot, nodes], dim=2).flatten(1)
    return torch.cat([tokens[:, :prompt], pairs], dim=1)
