"""What each head is needed for: answers of the model without it."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from experiments.path_star.config import PathStarConfig
from experiments.path_star.lookup import HeadFindings
from experiments.path_star.subject import Subject
from harness.measure.heads import Head
from harness.models.activations.ablation import MeanOutput, without_head
from harness.models.activations.patterns import head_output_hooks
from harness.path_star.answering import nodes_right
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Run

METRICS = ("head", "node", "cost")


def measure_knock_out(run: Run[PathStarConfig], subject: Subject) -> HeadFindings:
    """Share right at every node, the truth before it, with each head's output replaced by its mean over the graphs."""
    hooks = head_output_hooks(subject.model)
    if not hooks or subject.exp.n_knock_out == 0:
        return HeadFindings({f"knock_out/{name}": None for name in METRICS})
    part = subject.part(slice(0, subject.exp.n_knock_out))
    intact, means = _with_all(part, hooks)
    n_heads = next(iter(means.values())).shape[1]
    heads = [Head(layer, head) for layer in hooks for head in range(n_heads)]
    batches = [Batch(f"knock-out-{head.layer}-{head.head}", head) for head in heads]

    def compute(batch: Batch[Head]) -> dict[str, np.ndarray]:
        return {"right": _without(part, hooks, means, batch.work)}

    shards = compute_batches(run, batches, compute, lambda *_: (), "without a head")
    right = np.stack([shard["right"] for shard in shards]).reshape(len(hooks), n_heads, len(intact))
    cost = intact - right
    # The first node stands in the question: a head that is needed for it only copies.
    costs = cost[..., 1:]
    layer, head, node = (int(at) for at in np.unravel_index(int(costs.argmax()), costs.shape))
    names = subject.way.node_names(subject.exp.task.path_length)
    lost = float(costs[layer, head, node])
    return HeadFindings(
        {
            "knock_out/head": Head(list(hooks)[layer], head).label if lost > 0 else None,
            "knock_out/node": names[node + 1] if lost > 0 else None,
            "knock_out/cost": lost,
        },
        {"knock_out/right": right.astype(np.float32), "knock_out/intact": intact.astype(np.float32)},
        {"n_knock_out": len(part.rows)},
    )


def _with_all(
    subject: Subject, hooks: dict[int, str]
) -> tuple[Float[np.ndarray, " node"], dict[str, Float[Tensor, "pos head d_head"]]]:
    """Share right at every node of the model as it is, and from the same pass the mean output of its heads."""
    sums = {name: MeanOutput() for name in hooks.values()}
    reducers: dict[str, Callable[[Tensor], None]] = {name: total.add for name, total in sums.items()}
    right = _right(subject, lambda tokens: subject.model.forward(tokens, reducers))
    return right, {name: total.mean() for name, total in sums.items()}


def _without(
    subject: Subject, hooks: dict[int, str], means: dict[str, Float[Tensor, "pos head d_head"]], head: Head
) -> Float[np.ndarray, " node"]:
    name = hooks[head.layer]
    edits = {name: without_head(head.head, means[name])}
    return _right(subject, lambda tokens: subject.model.forward(tokens, edits=edits))


def _right(subject: Subject, forward: Callable[[Tensor], Tensor]) -> Float[np.ndarray, " node"]:
    with torch.inference_mode():
        right: np.ndarray = nodes_right(subject.forced(forward), subject.rows).mean(axis=0)
    return right
