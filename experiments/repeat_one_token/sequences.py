"""The sequences of every pool through the model: log-probs, where attention goes, and norms of the residual stream."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.repeat_one_token.choosing import Plan, PoolTokens
from experiments.repeat_one_token.config import RepeatOneTokenConfig
from harness.measure.heads import stack_layers
from harness.measure.logprobs import prediction_statistics
from harness.models.activations.capture import capture
from harness.models.activations.patterns import pattern_hooks
from harness.models.activations.request import ActivationRequest
from harness.models.activations.residual import residual_hooks
from harness.models.batch_size import choose_batch_size, halve_on_oom
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Run

SHARD = 16
"""Sequences kept or lost together when a run is killed; passes are never larger."""

_NUMBERS = ("layers", "attending")

FIRST, BOS = 0, 1
"""Places in the axis `key` of attention; both are position 0 for a model without BOS."""


@dataclass(frozen=True, eq=False)
class Insides:
    """What was read inside the model, a row for each sequence."""

    norm: Float[np.ndarray, "token layer pos"] | None
    """Of the residual stream, BOS included; None where the model gives no such hooks."""
    attention: Float[np.ndarray, "token place key"] | None
    """From each place after BOS, mean over all heads of all layers; None without attention patterns."""
    by_head: Float[np.ndarray, "token layer head key"] | None
    """Mean over the places after the first; NaN for heads that a layer does not have."""


@dataclass(frozen=True, eq=False)
class PoolData:
    """Everything measured on one pool."""

    tokens: PoolTokens
    logprob: Float[np.ndarray, "token repetition"]
    rank: Int[np.ndarray, "token repetition"]
    likeliest: Int[np.ndarray, "token repetition"]
    repeated: Insides
    control: Insides | None
    layers: tuple[int, ...]
    """Numbers of the layers that `norm` is of."""
    attending: tuple[int, ...]
    """Numbers of the layers that have attention patterns."""

    @property
    def name(self) -> str:
        """Of the pool."""
        return self.tokens.name


@dataclass(frozen=True, eq=False)
class _Work:
    """Some sequences of one pool, all of one kind."""

    pool: str
    tokens: Int[np.ndarray, "batch place"]
    is_control: bool


def measure_pools(run: Run[RepeatOneTokenConfig], plan: Plan) -> list[PoolData]:
    """Measure every pool; what an earlier attempt of this run has measured is read from its shards."""
    size = run.exp.batch_size or SHARD
    batches: list[Batch[_Work]] = []
    for pool in plan.pools:
        copies = np.repeat(pool.ids[:, None], plan.n_repetitions, axis=1)
        for kind, tokens in (("repeated", copies), ("control", pool.control)):
            if tokens is None:
                continue
            for start in range(0, len(tokens), size):
                work = _Work(pool.name, tokens[start : start + size], kind == "control")
                batches.append(Batch(f"{pool.name}-{kind}-{start:06d}", work, len(work.tokens)))
    with run.timer("read"):
        found = compute_batches(run, batches, lambda batch: _measure(run, plan, batch.work), no_rows, "sequences")
    data = []
    for pool in plan.pools:
        mine = [
            (batch.work.is_control, shard)
            for batch, shard in zip(batches, found, strict=True)
            if batch.work.pool == pool.name
        ]
        of_copies, of_others = (_joined([shard for kind, shard in mine if kind is wanted]) for wanted in (False, True))
        data.append(
            PoolData(
                tokens=pool,
                logprob=of_copies["logprob"],
                rank=of_copies["rank"],
                likeliest=of_copies["likeliest"],
                repeated=_insides(of_copies),
                control=_insides(of_others) if of_others else None,
                layers=tuple(of_copies["layers"].tolist()),
                attending=tuple(of_copies["attending"].tolist()),
            )
        )
    return data


def _joined(shards: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Sequences one after the other; numbers of layers are the same in all."""
    if not shards:
        return {}
    return {
        key: shards[0][key] if key in _NUMBERS else np.concatenate([shard[key] for shard in shards])
        for key in shards[0]
    }


def _insides(arrays: Mapping[str, np.ndarray]) -> Insides:
    return Insides(arrays.get("norm"), arrays.get("attention"), arrays.get("by_head"))


def _measure(run: Run[RepeatOneTokenConfig], plan: Plan, work: _Work) -> dict[str, np.ndarray]:
    n_rows, n_pos = len(work.tokens), work.tokens.shape[1] + plan.first
    size = min(choose_batch_size(run.model, n_pos, run.exp.batch_size), n_rows)
    return _joined(halve_on_oom(lambda some: _forward(run, plan, work, some), n_rows, n_pos, size))


def _forward(run: Run[RepeatOneTokenConfig], plan: Plan, work: _Work, rows: slice) -> dict[str, np.ndarray]:
    """One pass: all that is kept of some sequences."""
    own = torch.from_numpy(work.tokens[rows])
    tokens = own if plan.bos_id is None else torch.cat([torch.full((len(own), 1), plan.bos_id), own], dim=1)
    patterns, residual = pattern_hooks(run.model), residual_hooks(run.model)
    n_heads: dict[str, int] = {}

    def to_keys(pattern: Tensor, name: str) -> Float[Tensor, "batch place key"]:
        n_heads[name] = pattern.shape[1]
        return pattern[:, :, plan.first :, [plan.first, 0]].float().sum(dim=1)

    def by_head(pattern: Tensor, _: str) -> Float[Tensor, "batch head key"]:
        return pattern[:, :, plan.first + 1 :, [plan.first, 0]].float().mean(dim=2)

    requests = [ActivationRequest(name, lambda stream, _: stream.float().norm(dim=-1)) for name in residual.values()]
    for label, reduce in (("places", to_keys), ("heads", by_head)):
        requests += [ActivationRequest(name, reduce, label) for name in patterns.values()]
    found = capture(run.model, tokens, requests, None if work.is_control else _own_continuation(own, plan), run.store)
    kept = {name: tensor.numpy() for name, tensor in found.logits.items()}
    # In the shards, so that a run whose shards are complete needs no model.
    kept |= {
        key: np.array(list(hooks), dtype=np.int64) for key, hooks in zip(_NUMBERS, (residual, patterns), strict=True)
    }
    if residual:
        kept["norm"] = np.stack([found.reduced[name].numpy() for name in residual.values()], axis=1)
    if patterns:
        sums = [found.reduced[f"{name}#places"].numpy() for name in patterns.values()]
        kept["attention"] = np.sum(sums, axis=0) / np.float32(sum(n_heads.values()))
        kept["by_head"] = stack_layers(
            [found.reduced[f"{name}#heads"].numpy() for name in patterns.values()], head_axis=1
        )
    return kept


def _own_continuation(own: Int[Tensor, "batch place"], plan: Plan) -> Callable[[Tensor], Mapping[str, Tensor]]:
    """After every copy: how likely another one is."""

    def statistics(logits: Tensor) -> dict[str, Tensor]:
        after = logits[:, plan.first :]
        copied = prediction_statistics(after, own)
        return {"logprob": copied.logprob.float(), "rank": copied.rank, "likeliest": after.argmax(dim=-1)}

    return statistics
