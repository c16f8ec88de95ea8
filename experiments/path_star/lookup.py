"""Which heads look up the edge that leads to the next node."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.path_star.config import PathStarConfig
from experiments.path_star.subject import Subject
from harness.measure.heads import Head, top_heads
from harness.models.activations.capture import capture
from harness.models.activations.patterns import pattern_hooks
from harness.models.activations.request import ActivationRequest
from harness.path_star.answering import in_answer
from harness.path_star.either_end import write_from_end
from harness.path_star.recipe import Decoding
from harness.path_star.unmasking import hide_nodes
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Run

_PER_PASS = 64


@dataclass(frozen=True)
class HeadFindings:
    """What the heads do, under the names of the run's files; empty for a model without attention."""

    metrics: dict[str, float | int | str | None]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    """Where in a row a node is predicted, and where the edge that leads to it is listed; nodes from the second on."""

    query: Int[np.ndarray, "row node"]
    parent: Int[np.ndarray, "row node"]
    child: Int[np.ndarray, "row node"]


def edge_places(subject: Subject) -> Places:
    """The edge between each node of the answer and the one written before it.

    Reversed, the node before is the child: `parent` and `child` are always those of the listed edge.
    """
    rows, graphs = subject.rows, subject.graphs
    path = graphs.path
    n_edges_on_path = path.shape[1] - 1
    edge = np.empty((len(graphs), n_edges_on_path), dtype=np.int64)
    for number in range(n_edges_on_path):
        listed = (graphs.edges[:, :, 0] == path[:, number, None]) & (graphs.edges[:, :, 1] == path[:, number + 1, None])
        edge[:, number] = listed.argmax(axis=1)
    if subject.exp.objective.is_reversed:
        edge = edge[:, ::-1]
    row = np.arange(len(graphs))[:, None]
    return Places(
        query=rows.node_start[:, 1:] - 1 + query_shift(subject),
        parent=rows.edge_at[row, edge, 0],
        child=rows.edge_at[row, edge, 1],
    )


def query_shift(subject: Subject) -> int:
    """How much farther right than the token before a node the place lies where it is predicted."""
    n_nodes = subject.graphs.path.shape[1]
    # The sign behind the prompt moves the answer by one; a hidden node is said where its own dummy stands, behind all.
    return {Decoding.EITHER_END: 1, Decoding.UNMASKING: n_nodes + 1}.get(subject.decoding, 0)


def with_question(subject: Subject, places: Places) -> Places:
    """The places, and behind them one more: from the goal in the question to the edge that ends there.

    A model that plans backwards may look that edge up before it begins to answer.
    """
    rows, graphs = subject.rows, subject.graphs
    last = (graphs.edges[:, :, 1] == graphs.goal[:, None]).argmax(axis=1)
    row = np.arange(len(graphs))
    ends = (rows.edge_at[row, last, end][:, None] for end in (0, 1))
    parent, child = ends
    return Places(
        query=np.concatenate([places.query, rows.goal_at[:, None]], axis=1),
        parent=np.concatenate([places.parent, parent], axis=1),
        child=np.concatenate([places.child, child], axis=1),
    )


def measure_lookup(run: Run[PathStarConfig], subject: Subject) -> HeadFindings:
    """Mean attention of every head from where a node is predicted to its edge, and patterns of the best heads."""
    hooks = pattern_hooks(subject.model)
    names = ("head", "score", "question_head", "question_score")
    nothing: dict[str, float | int | str | None] = {f"edge_lookup/{name}": None for name in names}
    if not hooks:
        run.note("this model has no attention patterns: which heads look up edges does not apply to it")
        return HeadFindings(nothing, details={"heads": {"applicable": False}})
    asked = subject.part(slice(0, subject.exp.n_lookup))
    places, inputs = edge_places(asked), model_inputs(asked)
    parent, child = _mean_attention(run, asked, inputs, with_question(asked, places), hooks)
    question = np.stack([parent[..., -1], child[..., -1]], axis=-1)
    parent, child = parent[..., :-1], child[..., :-1]
    best, asks = (parent + child).max(axis=-1), question.sum(axis=-1)
    heads = top_heads(best, subject.exp.n_top_heads, list(hooks))
    # Rows may be filled up on the right; what is no filling is read.
    plain = subject.decoding in (Decoding.AUTOREGRESSIVE, Decoding.PARALLEL)
    length = int(asked.rows.length[0]) - 1 if plain else inputs.shape[1]
    return HeadFindings(
        {
            "edge_lookup/head": heads[0].label,
            "edge_lookup/score": float(best.max()),
            "edge_lookup/question_head": top_heads(asks, 1, list(hooks))[0].label,
            "edge_lookup/question_score": float(asks.max()),
        },
        {
            "edge_lookup/parent": parent.astype(np.float32),
            "edge_lookup/child": child.astype(np.float32),
            "edge_lookup/question": question.astype(np.float32),
            "edge_lookup/uniform": (1 / (places.query + 1)).mean(axis=0).astype(np.float32),
            "example/pattern": _patterns(run, subject, inputs[:1], hooks, heads)[:, :length, :length],
        },
        {
            "heads": {
                "applicable": True,
                "layers": list(hooks),
                "top": [{"label": head.label, "layer": head.layer, "head": head.head} for head in heads],
            },
            "example": {
                "tokens": [subject.codec.name_of(token) for token in inputs[0, :length].tolist()],
                "prompt_length": int(asked.rows.prompt_length[0]) + query_shift(asked),
                "edges": [int(at) for at in places.child[0]],
            },
        },
    )


def _mean_attention(
    run: Run[PathStarConfig], asked: Subject, inputs: Int[np.ndarray, "row pos"], places: Places, hooks: dict[int, str]
) -> tuple[Float[np.ndarray, "layer head node"], Float[np.ndarray, "layer head node"]]:
    """Attention to parents and to children, mean over the graphs."""
    batches = [
        Batch(f"lookup-{first:06d}", slice(first, min(first + _PER_PASS, len(inputs))), _PER_PASS)
        for first in range(0, len(inputs), _PER_PASS)
    ]
    shards = compute_batches(
        run,
        batches,
        lambda batch: _attention(run, asked, inputs, places, batch.work, hooks),
        lambda *_: (),
        "heads",
    )
    parent, child = (np.concatenate([shard[end] for shard in shards]).mean(axis=0) for end in ("parent", "child"))
    return parent, child


def model_inputs(subject: Subject) -> Int[np.ndarray, "row pos"]:
    """What the model reads: the true answer, dummies in its place, or behind the sign for the start.

    A model that fills hidden nodes in is shown none of them: its first round.
    """
    tokens = subject.rows.tokens.copy()
    if subject.decoding is Decoding.UNMASKING:
        prompt, hidden = int(subject.rows.prompt_length[0]), torch.ones(subject.rows.node_start.shape, dtype=torch.bool)
        return hide_nodes(torch.from_numpy(tokens), prompt, hidden, subject.codec.dummy_id).numpy()
    if subject.decoding is Decoding.EITHER_END:
        prompt, from_goal = int(subject.rows.prompt_length[0]), torch.zeros(len(tokens), dtype=torch.bool)
        return write_from_end(torch.from_numpy(tokens), prompt, from_goal, subject.codec.dummy_id + 1).numpy()[:, :-1]
    if subject.decoding is Decoding.PARALLEL:
        tokens[in_answer(subject.rows)] = subject.codec.dummy_id
    return tokens[:, :-1]


def _attention(
    run: Run[PathStarConfig],
    subject: Subject,
    inputs: Int[np.ndarray, "row pos"],
    places: Places,
    rows: slice,
    hooks: dict[int, str],
) -> dict[str, np.ndarray]:
    """[row layer head node]: attention to the parent's and to the child's token."""
    query, ends = (
        torch.from_numpy(places.query[rows]),
        {"parent": torch.from_numpy(places.parent[rows]), "child": torch.from_numpy(places.child[rows])},
    )

    def read(pattern: Tensor, key: Tensor) -> Float[Tensor, "row head node"]:
        row = torch.arange(len(query))[:, None]
        # An index between two others puts the head last.
        return pattern.float().cpu()[row, :, query, key].transpose(1, 2)

    def reader(key: Tensor) -> Callable[[Tensor, str], Tensor]:
        return lambda pattern, _: read(pattern, key)

    requests = [ActivationRequest(name, reader(key), label) for name in hooks.values() for label, key in ends.items()]
    found = capture(subject.model, torch.from_numpy(inputs[rows]), requests, None, run.store).reduced
    return {label: np.stack([found[f"{name}#{label}"].numpy() for name in hooks.values()], axis=1) for label in ends}


def _patterns(
    run: Run[PathStarConfig],
    subject: Subject,
    tokens: Int[np.ndarray, "row pos"],
    hooks: dict[int, str],
    heads: Sequence[Head],
) -> Float[np.ndarray, "head query key"]:
    requests = [
        ActivationRequest(hooks[layer], lambda pattern, _: pattern.float()) for layer in {head.layer for head in heads}
    ]
    kept = capture(subject.model, torch.from_numpy(tokens), requests, None, run.store).reduced
    return np.stack([kept[hooks[head.layer]][0, head.head].numpy() for head in heads])
