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
from experiments.repeat_tokens.draws import DrawPlan, draw
from experiments.repeat_tokens.quantities import Items, Observed, Predictions, known_mean
from harness.glitch.copying.coinciding import Coinciding
from harness.measure.heads import Head, attention_by_offset, stack_layers
from harness.measure.logprobs import target_statistics
from harness.models.activations.capture import capture
from harness.models.activations.patterns import pattern_hooks
from harness.models.activations.request import ActivationRequest
from harness.models.batch_size import choose_batch_size, halve_on_oom
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Run
from harness.tokens.repeats import RepeatedTokens

SHARD = 16
"""Sequences kept or lost together when a run is killed; passes are never larger, whatever memory would allow, so that
the same run on another day adds up its numbers in the same order."""

_PREDICTED = ("logprob", "rank", "entropy", "correct", "control", "shuffled", "foil", "coinciding")


@dataclass(frozen=True)
class PoolData(Observed):
    """Everything measured on one pool."""

    name: str
    drawn: RepeatedTokens
    attention: Float[np.ndarray, "sequence layer head offset"] | None
    """From the pool's own tokens in the second half; None where the model has no attention patterns."""
    layers: tuple[int, ...]
    """Numbers of the layers that have attention."""


@dataclass(frozen=True)
class _Work:
    """Some sequences of one pool."""

    pool: str
    drawn: RepeatedTokens
    start: int
    stop: int


def measure_pools(run: Run[RepeatTokensConfig], plan: DrawPlan, coinciding: Coinciding) -> list[PoolData]:
    """Draw and measure every pool; what an earlier attempt of this run has measured is read from its shards."""
    exp = run.exp
    batches, drawn = [], {}
    size = exp.batch_size or SHARD
    for name in run.pools:
        drawn[name] = draw(run, plan, name)
        for start in range(0, exp.n_sequences, size):
            work = _Work(name, drawn[name], start, min(start + size, exp.n_sequences))
            batches.append(Batch(f"{name}-{start:06d}", work, work.stop - start))
    arrays = compute_batches(run, batches, lambda batch: _measure(run, batch.work, coinciding.said), _rows, "sequences")
    found = []
    for name in run.pools:
        shards = [found for batch, found in zip(batches, arrays, strict=True) if batch.work.pool == name]
        found.append(_joined(name, drawn[name], plan.unit_of(name), shards))
    return found


def _joined(
    name: str, drawn: RepeatedTokens, unit_of: Mapping[int, int], shards: Sequence[Mapping[str, np.ndarray]]
) -> PoolData:
    values = {key: np.concatenate([shard[key] for shard in shards]) for key in shards[0] if key != "layers"}
    layers = tuple(int(layer) for layer in shards[0]["layers"])
    attention = values.pop("attention") if layers else None
    units = np.array([[unit_of.get(token, token) for token in half] for half in drawn.halves.tolist()], dtype=np.int64)
    return PoolData(
        **values,
        own=drawn.own,
        token_units=units,
        pair=drawn.pair,
        name=name,
        drawn=drawn,
        attention=attention,
        layers=layers,
    )


def _measure(run: Run[RepeatTokensConfig], work: _Work, said: Mapping[int, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays of some sequences, float32: the fields of `PoolData`."""
    drawn = work.drawn
    n_rows, n_pos = work.stop - work.start, drawn.tokens.shape[1]
    rows = np.arange(work.start, work.stop)
    size = _rows_in_a_pass(run, n_rows, n_pos)
    parts = halve_on_oom(lambda some: _forward(run, rows[some], drawn, said), n_rows, n_pos, size)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0] if key != "layers"} | {
        "layers": parts[0]["layers"]
    }


def _rows_in_a_pass(run: Run[RepeatTokensConfig], n_rows: int, n_pos: int) -> int:
    return min(choose_batch_size(run.model, n_pos, run.exp.batch_size), n_rows)


def _forward(
    run: Run[RepeatTokensConfig],
    rows: Int[np.ndarray, " batch"],
    drawn: RepeatedTokens,
    said: Mapping[int, tuple[int, ...]],
) -> dict[str, np.ndarray]:
    """A pass for the repeated sequences, one for each control: all that is kept of them."""
    hooks = pattern_hooks(run.model)
    tokens = torch.from_numpy(drawn.tokens[rows])
    own = torch.from_numpy(drawn.own[rows])
    # A control is the other half, then this one.
    foils = None if drawn.control is None else torch.from_numpy(drawn.control[rows][:, -2 * drawn.seq_len :])

    def by_offset(pattern: Tensor, _: str) -> Tensor:
        return attention_by_offset(pattern, drawn.seq_len, drawn.first_query, own)

    def statistics(logits: Tensor) -> dict[str, Tensor]:
        found = target_statistics(logits, tokens)
        second = found.logprob[:, drawn.first_query - 1 :]
        predicting, said_now = logits[:, drawn.first_query - 1 : -1], tokens[:, drawn.first_query :]
        return {
            "logprob": found.logprob,
            "rank": found.rank,
            "entropy": found.entropy,
            "correct": found.correct,
            "coinciding": _of_sets(predicting, said_now, second, said),
            **({} if foils is None else {"foil": second + _ahead(predicting, foils[:, : drawn.seq_len], said_now)}),
        }

    requests = [ActivationRequest(name, by_offset) for name in hooks.values()]
    captured = capture(run.model, tokens, requests, statistics, run.store)
    kept = {name: tensor.numpy().astype(np.float32) for name, tensor in captured.logits.items()}
    halves = {name: kept.pop(name) for name in ("coinciding", "foil") if name in kept}
    arrays = {name: _by_position(values, drawn) for name, values in kept.items()} | halves
    arrays.setdefault("foil", np.full_like(arrays["coinciding"], np.nan))
    for name, others in (("control", drawn.control), ("shuffled", drawn.shuffled)):
        arrays[name] = _second_half(run, None if others is None else others[rows], drawn, len(rows))
    arrays["layers"] = np.array(list(hooks), dtype=np.int64)
    if hooks:
        arrays["attention"] = stack_layers([captured.reduced[name].numpy() for name in hooks.values()], head_axis=1)
    return arrays


def _second_half(
    run: Run[RepeatTokensConfig], tokens: Int[np.ndarray, "batch pos"] | None, drawn: RepeatedTokens, n_rows: int
) -> Items:
    """Log-probs of the second half after another first one; NaN where there is none."""
    if tokens is None:
        return np.full((n_rows, drawn.seq_len), np.nan, dtype=np.float32)
    ids = torch.from_numpy(tokens)
    before = drawn.first_query - 1

    def statistics(logits: Tensor) -> dict[str, Tensor]:
        return {"logprob": target_statistics(logits[:, before:], ids[:, before:]).logprob}

    return capture(run.model, ids, (), statistics, run.store).logits["logprob"].numpy().astype(np.float32)


def _ahead(
    logits: Float[Tensor, "batch index d_vocab"], of: Int[Tensor, "batch index"], than: Int[Tensor, "batch index"]
) -> Float[Tensor, "batch index"]:
    """How much higher the logits of one token are than another's."""
    both = torch.stack([of, than], dim=-1).to(logits.device)
    first, second = logits.gather(-1, both).float().unbind(-1)
    return first - second


def _of_sets(
    logits: Float[Tensor, "batch index d_vocab"],
    targets: Int[Tensor, "batch index"],
    logprob: Float[Tensor, "batch index"],
    said: Mapping[int, tuple[int, ...]],
) -> Float[Tensor, "batch index"]:
    """Log-prob of all tokens together that coincide with the right one: its own plus what the others add."""
    found = logprob.clone()
    for row, half in enumerate(targets.tolist()):
        for index, target in enumerate(half):
            if len(said.get(target, ())) > 1:
                scores = logits[row, index].float()
                found[row, index] += torch.logsumexp(scores[list(said[target])] - scores[target], dim=0)
    return found


def _by_position(values: np.ndarray, drawn: RepeatedTokens) -> Float[np.ndarray, "batch position"]:
    """Predictions lined up with the tokens after BOS: without BOS nothing predicts the first."""
    if drawn.has_bos:
        return values
    return np.concatenate([np.full((len(values), 1), np.nan, dtype=np.float32), values], axis=1)


def _rows(batch: Batch[_Work], arrays: Mapping[str, np.ndarray]) -> Iterable[dict[str, Any]]:
    """One record per sequence: which it is, its half's ids, which of them are the pool's, and every quantity."""
    work = batch.work
    places = range(work.start, work.stop)
    predictions = Predictions(**{name: arrays[name] for name in _PREDICTED}, own=work.drawn.own[places])
    columns = {quantity.name: quantity.of(predictions) for quantity in quantities.QUANTITIES}
    for row, index in enumerate(places):
        yield {
            "item": f"{work.pool}/{index}",
            "pool": work.pool,
            "index": index,
            "pair": int(work.drawn.pair[index]),
            "tokens": work.drawn.halves[index].tolist(),
            "own": np.flatnonzero(work.drawn.own[index]).tolist(),
            **{name: known_mean(values[row]) for name, values in columns.items()},
        }


def example_patterns(
    run: Run[RepeatTokensConfig], pools: Sequence[PoolData], heads: Sequence[Head]
) -> dict[str, Float[np.ndarray, "top_head query key"]]:
    """Attention of `heads` on the first sequence of every pool, from one more pass each.

    With a store the pool's first pass is asked for again, as it lies there: any head's pattern is found without the
    model.
    """
    exp = run.exp

    def patterns(batch: Batch[PoolData]) -> dict[str, np.ndarray]:
        drawn = batch.work.drawn.tokens
        n_rows = min(exp.batch_size or SHARD, exp.n_sequences)
        in_pass = 1 if run.store is None else _rows_in_a_pass(run, n_rows, drawn.shape[1])
        tokens = torch.from_numpy(drawn[:in_pass])
        names = pattern_hooks(run.model)
        requests = [
            ActivationRequest(names[layer], lambda pattern, _: pattern[:1].float())
            for layer in {head.layer for head in heads}
        ]
        kept = capture(run.model, tokens, requests, None, run.store).reduced
        return {"pattern": np.stack([kept[names[head.layer]][0, head.head].numpy() for head in heads])}

    batches = [Batch(f"example-{data.name}", data) for data in pools]
    found = compute_batches(run, batches, patterns, lambda *_: (), "example patterns")
    return {data.name: arrays["pattern"] for data, arrays in zip(pools, found, strict=True)}
