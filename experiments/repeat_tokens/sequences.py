"""The sequences of every pool through the model: log-probs, ranks and where each head looks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.repeat_tokens import quantities
from experiments.repeat_tokens.config import RepeatTokensConfig
from experiments.repeat_tokens.quantities import Predictions
from harness.measure.heads import Head, attention_by_offset
from harness.measure.logprobs import target_statistics
from harness.models.activations.capture import capture
from harness.models.activations.patterns import pattern_hooks
from harness.models.activations.request import ActivationRequest
from harness.models.batch_size import choose_batch_size, halve_on_oom
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Run
from harness.tokens.repeats import RepeatedTokens, draw_repeated

SHARD = 16
"""Sequences kept or lost together when a run is killed; passes are never larger, whatever memory would allow, so that
the same run on another day adds up its numbers in the same order."""


@dataclass(frozen=True)
class PoolData(Predictions):
    """Everything measured on one pool."""

    name: str
    drawn: RepeatedTokens
    attention: Float[np.ndarray, "sequence layer head offset"] | None
    """None where the model has no attention patterns."""
    layers: tuple[int, ...]
    """Numbers of the layers that have attention."""

    @property
    def halves(self) -> Int[np.ndarray, "sequence index"]:
        """Token ids of one half."""
        return self.drawn.tokens[:, self.drawn.first_query :]


@dataclass(frozen=True)
class _Work:
    """Some sequences of one pool."""

    pool: str
    drawn: RepeatedTokens
    start: int
    stop: int

    @property
    def tokens(self) -> Int[np.ndarray, "batch pos"]:
        return self.drawn.tokens[self.start : self.stop]


def measure_pools(run: Run[RepeatTokensConfig]) -> list[PoolData]:
    """Draw and measure every pool; what an earlier attempt of this run has measured is read from its shards."""
    exp = run.exp
    bos_id = run.facts.bos_id
    batches, drawn = [], {}
    size = exp.batch_size or SHARD
    for name, pool in run.pools.items():
        drawn[name] = draw_repeated(pool, exp.seq_len, exp.n_sequences, run.seed, bos_id)
        for start in range(0, exp.n_sequences, size):
            work = _Work(name, drawn[name], start, min(start + size, exp.n_sequences))
            batches.append(Batch(f"{name}-{start:06d}", work, work.stop - start))
    arrays = compute_batches(run, batches, lambda batch: _measure(run, batch.work), _rows, "sequences")
    return [
        _joined(
            name, drawn[name], [found for batch, found in zip(batches, arrays, strict=True) if batch.work.pool == name]
        )
        for name in run.pools
    ]


def _joined(name: str, drawn: RepeatedTokens, shards: Sequence[Mapping[str, np.ndarray]]) -> PoolData:
    values = {key: np.concatenate([shard[key] for shard in shards]) for key in shards[0] if key != "layers"}
    layers = tuple(int(layer) for layer in shards[0]["layers"])
    attention = values.pop("attention") if layers else None
    return PoolData(**values, name=name, drawn=drawn, attention=attention, layers=layers)


def _measure(run: Run[RepeatTokensConfig], work: _Work) -> dict[str, np.ndarray]:
    """Arrays of some sequences, float32: the fields of `PoolData`."""
    tokens = torch.from_numpy(work.tokens)
    n_pos = tokens.shape[1]
    size = min(choose_batch_size(run.model, n_pos, run.exp.batch_size), len(tokens))
    parts = halve_on_oom(lambda rows: _forward(run, rows, work.drawn), tokens, size)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0] if key != "layers"} | {
        "layers": parts[0]["layers"]
    }


def _forward(
    run: Run[RepeatTokensConfig], tokens: Int[Tensor, "batch pos"], drawn: RepeatedTokens
) -> dict[str, np.ndarray]:
    """One pass: statistics of every prediction and every head's attention by offset."""
    hooks = pattern_hooks(run.model)

    def by_offset(pattern: Tensor, _: str) -> Tensor:
        return attention_by_offset(pattern, drawn.seq_len, drawn.first_query)

    def statistics(logits: Tensor) -> dict[str, Tensor]:
        found = target_statistics(logits, tokens)
        return {"logprob": found.logprob, "rank": found.rank, "entropy": found.entropy, "correct": found.correct}

    requests = [ActivationRequest(name, by_offset) for name in hooks.values()]
    captured = capture(run.model, tokens, requests, statistics, run.store)
    arrays = {name: _by_position(tensor.numpy(), drawn) for name, tensor in captured.logits.items()}
    arrays["layers"] = np.array(list(hooks), dtype=np.int64)
    if hooks:
        arrays["attention"] = _stacked([captured.reduced[name].numpy() for name in hooks.values()])
    return arrays


def _by_position(values: np.ndarray, drawn: RepeatedTokens) -> Float[np.ndarray, "batch position"]:
    """Predictions lined up with the tokens after BOS: without BOS nothing predicts the first."""
    values = values.astype(np.float32)
    if drawn.has_bos:
        return values
    return np.concatenate([np.full((len(values), 1), np.nan, dtype=np.float32), values], axis=1)


def _stacked(layers: Sequence[np.ndarray]) -> Float[np.ndarray, "batch layer head offset"]:
    """Layers stacked; those with fewer heads than the widest are padded with NaN."""
    width = max(layer.shape[1] for layer in layers)
    full = [
        np.pad(layer, ((0, 0), (0, width - layer.shape[1]), (0, 0)), constant_values=np.nan)
        if layer.shape[1] < width
        else layer
        for layer in layers
    ]
    return np.stack(full, axis=1)


def _rows(batch: Batch[_Work], arrays: Mapping[str, np.ndarray]) -> Iterable[dict[str, Any]]:
    """One record per sequence: which it is, its half's ids, and every quantity."""
    work = batch.work
    predictions = Predictions(**{name: arrays[name] for name in ("logprob", "rank", "entropy", "correct")})
    columns = {quantity.name: quantity.of(predictions) for quantity in quantities.QUANTITIES}
    for row, index in enumerate(range(work.start, work.stop)):
        yield {
            "item": f"{work.pool}/{index}",
            "pool": work.pool,
            "index": index,
            "tokens": work.drawn.tokens[index, work.drawn.first_query :].tolist(),
            **{name: float(values[row]) for name, values in columns.items()},
        }


def example_patterns(
    run: Run[RepeatTokensConfig], pools: Sequence[PoolData], heads: Sequence[Head]
) -> dict[str, Float[np.ndarray, "top_head query key"]]:
    """Attention of `heads` on the first sequence of every pool, from one more pass each."""

    def patterns(batch: Batch[PoolData]) -> dict[str, np.ndarray]:
        tokens = torch.from_numpy(batch.work.drawn.tokens[:1])
        names = pattern_hooks(run.model)
        requests = [
            ActivationRequest(names[layer], lambda pattern, _: pattern.float())
            for layer in {head.layer for head in heads}
        ]
        kept = capture(run.model, tokens, requests, None, run.store).reduced
        return {"pattern": np.stack([kept[names[head.layer]][0, head.head].numpy() for head in heads])}

    batches = [Batch(f"example-{data.name}", data) for data in pools]
    found = compute_batches(run, batches, patterns, lambda *_: (), "example patterns")
    return {data.name: arrays["pattern"] for data, arrays in zip(pools, found, strict=True)}


_IDS_IN_DETAILS = 256
