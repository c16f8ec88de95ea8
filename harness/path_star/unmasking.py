"""Answers of a masked-diffusion model: a causal model reads a partly hidden answer and fills the hidden places in.

A row is the prompt, the answer with dummies at its hidden places, and once more a dummy for every node: what is said
there is the node. So a causal model sees on both sides of a hidden node, and boots like any other.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.path_star.encoded import Rows
from harness.path_star.forward import Forward


@dataclass(frozen=True)
class Unmasked:
    """Answers, and when each of their nodes was written."""

    said: Int[np.ndarray, "row pos"]
    """The rows with the model's nodes."""
    round_of: Int[np.ndarray, "row node"]
    """The round in which a node was written, from 1; 0 for one that was given."""


def hide_nodes(
    tokens: Int[Tensor, "batch pos"], prompt: int, hidden: Bool[Tensor, "batch node"], dummy_id: int
) -> Int[Tensor, "batch seen"]:
    """What the model reads of rows whose answer is hidden at some places."""
    nodes = tokens[:, prompt:]
    return torch.cat([tokens[:, :prompt], nodes.masked_fill(hidden, dummy_id), torch.full_like(nodes, dummy_id)], dim=1)


def generate(forward: Forward, rows: Rows, dummy_id: int, n_given: int = 0) -> Unmasked:
    """One node a round, the one the model is surest of (as MaskGIT, arXiv 2202.04200), after the rows' first `n_given`.

    Of equally sure nodes the first.
    """
    prompt, n_nodes = rows.sizes
    tokens = torch.from_numpy(rows.tokens.copy())
    hidden = (torch.arange(n_nodes) >= n_given).expand(len(rows), n_nodes).clone()
    round_of = torch.zeros(len(rows), n_nodes, dtype=torch.long)
    row = torch.arange(len(rows))
    for number in range(1, n_nodes - n_given + 1):
        best = _nodes_said(forward, tokens, prompt, hidden, dummy_id).float().log_softmax(dim=-1).max(dim=-1)
        surest = best.values.masked_fill(~hidden, float("-inf")).argmax(dim=-1)
        tokens[row, prompt + surest] = best.indices[row, surest]
        hidden[row, surest] = False
        round_of[row, surest] = number
    return Unmasked(tokens.numpy(), round_of.numpy())


def said_from_start(forward: Forward, rows: Rows, dummy_id: int) -> Int[np.ndarray, "row pos"]:
    """The model's choice for every node when the true nodes before it are seen and it and all behind it are hidden."""
    prompt, n_nodes = rows.sizes
    said = rows.tokens.copy()
    tokens = torch.from_numpy(rows.tokens)
    for node in range(n_nodes):
        hidden = (torch.arange(n_nodes) >= node).expand(len(tokens), n_nodes)
        logits = _nodes_said(forward, tokens, prompt, hidden, dummy_id)
        said[:, prompt + node] = logits[:, node].argmax(dim=-1).numpy()
    return said


def _nodes_said(
    forward: Forward,
    tokens: Int[Tensor, "batch pos"],
    prompt: int,
    hidden: Bool[Tensor, "batch node"],
    dummy_id: int,
) -> Float[Tensor, "batch node d_vocab"]:
    n_nodes = hidden.shape[1]
    return forward(hide_nodes(tokens, prompt, hidden, dummy_id))[:, -n_nodes:].cpu()
