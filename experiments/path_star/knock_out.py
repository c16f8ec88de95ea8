"""What each head is needed for: answers of the model without it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.path_star.lookup import HeadFindings
from harness.activations.ablation import MeanOutput, head_output_hooks, without_head
from harness.measure.heads import Head
from harness.path_star.answering import nodes_right, said_when_forced
from harness.path_star.node_names import node_names
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Run

if TYPE_CHECKING:
    from experiments.path_star.measure import Subject

METRICS = ("head", "node", "cost")


@dataclass(frozen=True)
class Without:
    """One head to do without; None: the model as it is."""

    head: Head | None

    @property
    def key(self) -> str:
        """Safe as a file name."""
        return "knock-out-none" if self.head is None else f"knock-out-{self.head.layer}-{self.head.head}"


def measure_knock_out(run: Run, subject: "Subject") -> HeadFindings:
    """Share right at every node, the truth before it, with each head's output replaced by its mean over the graphs."""
    hooks = head_output_hooks(subject.model)
    if not hooks or subject.exp.n_knock_out == 0:
        return HeadFindings({f"knock_out/{name}": None for name in METRICS})
    asked = subject.part(slice(0, subject.exp.n_knock_out))
    means = _means(asked, hooks)
    n_heads = next(iter(means.values())).shape[1]
    heads = [Head(layer, head) for layer in hooks for head in range(n_heads)]
    batches = [Batch(work.key, work) for work in (Without(None), *map(Without, heads))]
    shards = compute_batches(
        run, batches, lambda batch: {"right": _right(asked, hooks, means, batch.work)}, lambda *_: (), "without a head"
    )
    intact, *rest = [shard["right"] for shard in shards]
    right = np.stack(rest).reshape(len(hooks), n_heads, len(intact))
    cost = intact - right
    # The first node stands in the question: a head that is needed for it only copies.
    dearest = int(cost[..., 1:].argmax())
    layer, head, node = (int(at) for at in np.unravel_index(dearest, cost[..., 1:].shape))
    names = node_names(subject.exp.task.path_length, subject.exp.objective.is_reversed)
    lost = float(cost[layer, head, node + 1])
    return HeadFindings(
        {
            "knock_out/head": Head(list(hooks)[layer], head).label if lost > 0 else None,
            "knock_out/node": names[node + 1] if lost > 0 else None,
            "knock_out/cost": lost,
        },
        {"knock_out/right": right.astype(np.float32), "knock_out/intact": intact.astype(np.float32)},
        {"n_knock_out": len(asked.rows)},
    )


def _means(asked: "Subject", hooks: dict[int, str]) -> dict[str, Float[Tensor, "pos head d_head"]]:
    sums = {name: MeanOutput() for name in hooks.values()}
    reducers: dict[str, Callable[[Tensor], None]] = {name: total.add for name, total in sums.items()}
    _said(asked, lambda tokens: asked.model.forward(tokens, reducers))
    return {name: total.mean() for name, total in sums.items()}


def _right(
    asked: "Subject", hooks: dict[int, str], means: dict[str, Float[Tensor, "pos head d_head"]], work: Without
) -> Float[np.ndarray, " node"]:
    edits = {}
    if work.head is not None:
        name = hooks[work.head.layer]
        edits[name] = without_head(work.head.head, means[name])
    said = _said(asked, lambda tokens: asked.model.forward(tokens, edits=edits))
    right: np.ndarray = nodes_right(said, asked.rows).mean(axis=0)
    return right


def _said(asked: "Subject", forward: Callable[[Tensor], Tensor]) -> Int[np.ndarray, "row pos"]:
    with torch.inference_mode():
        return said_when_forced(forward, asked.rows, asked.decoding, asked.codec.dummy_id)
