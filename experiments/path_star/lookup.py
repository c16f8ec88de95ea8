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
    if subject.way.is_reversed:
        edge = edge[:, ::-1]
    row = np.arange(len(graphs))[:, None]
    return Places(
        query=rows.node_start[:, 1:] - 1 + subject.way.query_shift,
        parent=rows.edge_at[row, edge, 0],
        child=rows.edge_at[row, edge, 1],
    )


def with_question(subject: Subject, places: Places) -> Places:
    """The places, and after them one more: from the goal in the question to the edge that ends there.

    A model that plans backwards may look that edge up before it begins to answer.
    """
    rows, graphs = subject.rows, subject.graphs
    last = (graphs.edges[:, :, 1] == graphs.goal[:, None]).argmax(axis=1)
    edge_at = rows.edge_at[np.arange(len(graphs)), last]
    return Places(
        query=np.column_stack([places.query, rows.goal_at]),
        parent=np.column_stack([places.parent, edge_at[:, 0]]),
        child=np.column_stack([places.child, edge_at[:, 1]]),
    )


def measure_lookup(run: Run[PathStarConfig], subject: Subject) -> HeadFindings:
    """Mean attention of every head from where a node is predicted to its edge, and patterns of the best heads."""
    hooks = pattern_hooks(subject.model)
    names = ("head", "score", "question_head", "question_score")
    nothing: dict[str, float | int | str | None] = {f"edge_lookup/{name}": None for name in names}
    if not hooks:
        run.note(f"{subject.model.no_patterns_reason}: which heads look up edges does not apply to it")
        return HeadFindings(nothing, details={"heads": {"applicable": False}})
    part = subject.part(slice(0, subject.exp.n_lookup))
    places, inputs = edge_places(part), part.way.reads(part.rows)
    parent, child = _mean_attention(run, part, inputs, with_question(part, places), hooks)
    question = np.stack([parent[..., -1], child[..., -1]], axis=-1)
    parent, child = parent[..., :-1], child[..., :-1]
    best, from_goal = (parent + child).max(axis=-1), question.sum(axis=-1)
    heads = top_heads(best, subject.exp.n_top_heads, list(hooks))
    # Without the padding, which lies on the right.
    length = inputs.shape[1] - (part.rows.tokens.shape[1] - int(part.rows.length[0]))
    return HeadFindings(
        {
            "edge_lookup/head": heads[0].label,
            "edge_lookup/score": float(best.max()),
            "edge_lookup/question_head": top_heads(from_goal, 1, list(hooks))[0].label,
            "edge_lookup/question_score": float(from_goal.max()),
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
                "prompt_length": int(part.rows.prompt_length[0]) + part.way.query_shift,
                "edges": [int(at) for at in places.child[0]],
            },
        },
    )


def _mean_attention(
    run: Run[PathStarConfig],
    subject: Subject,
    inputs: Int[np.ndarray, "row pos"],
    places: Places,
    hooks: dict[int, str],
) -> tuple[Float[np.ndarray, "layer head node"], Float[np.ndarray, "layer head node"]]:
    """Attention to parents and to children, mean over the graphs."""
    batches = [
        Batch(f"lookup-{first:06d}", slice(first, min(first + _PER_PASS, len(inputs))), _PER_PASS)
        for first in range(0, len(inputs), _PER_PASS)
    ]

    def compute(batch: Batch[slice]) -> dict[str, np.ndarray]:
        return _attention(run, subject, inputs, places, batch.work, hooks)

    shards = compute_batches(run, batches, compute, lambda *_: (), "heads")
    parent, child = (np.concatenate([shard[end] for shard in shards]).mean(axis=0) for end in ("parent", "child"))
    return parent, child


def _attention(
    run: Run[PathStarConfig],
    subject: Subject,
    inputs: Int[np.ndarray, "row pos"],
    places: Places,
    rows: slice,
    hooks: dict[int, str],
) -> dict[str, np.ndarray]:
    """[row layer head node]: attention to the parent's and to the child's token."""
    query = torch.from_numpy(places.query[rows])
    row = torch.arange(len(query))[:, None]
    ends = {"parent": torch.from_numpy(places.parent[rows]), "child": torch.from_numpy(places.child[rows])}

    def reader(key: Tensor) -> Callable[[Tensor, str], Float[Tensor, "row head node"]]:
        # A slice between tensor indices moves its axis (the heads) to the end: [row node head].
        return lambda pattern, _: pattern.float().cpu()[row, :, query, key].transpose(1, 2)

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
