"""Reading prompts and running text, and what the logits of a pool's tokens amount to at every position."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from experiments.unused_logits.config import UnusedLogitsConfig
from experiments.unused_logits.text import RUNNING_TEXT
from harness.errors import RunFailed
from harness.glitch.census.questions import leading_ids
from harness.measure.intervals import student_t, wilson_clustered
from harness.models.answers.causal_model import CausalModel
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run
from harness.tokens.pools import Pool
from harness.tokens.text import shown

KINDS = ("prompts", "text")
_SHOWN = 3
_SHARD = 8


@dataclass(frozen=True)
class Sequences:
    """Token ids to read: the prompts, or the windows of running text; the BOS in front is `n_front` long."""

    kind: str
    ids: tuple[tuple[int, ...], ...]
    n_front: int


def pool_statistics(
    logits: Float[Tensor, "pos d_vocab"], ids: Sequence[int]
) -> tuple[Float[Tensor, "pos token"], Float[Tensor, "pos token"], Float[Tensor, " pos"], Float[Tensor, " pos"]]:
    """Raw logits and probabilities of some tokens, their probability altogether, and the rank of the likeliest of them.

    Rank 1 is the likeliest of the vocabulary; ties count against the pool.
    """
    wide = logits.double()
    chosen = torch.as_tensor(list(ids), device=logits.device)
    raw = wide[:, chosen]
    probability = (raw - wide.logsumexp(dim=-1, keepdim=True)).exp()
    best = raw.max(dim=-1, keepdim=True).values
    others = torch.ones(wide.shape[-1], dtype=torch.bool, device=wide.device)
    others[chosen] = False
    rank = 1 + (wide[:, others] >= best).sum(dim=-1)
    return raw, probability, probability.sum(dim=-1), rank.double()


def measure(run: Run[UnusedLogitsConfig]) -> Outcome:
    """Read everything, shard by shard, and summarise."""
    sequences = [_prompts(run), _windows(run)]
    for pool in run.pools.values():
        for note in pool.notes:
            run.note(note)
    with run.answering() as model:
        found = {item.kind: _read(run, model, item) for item in sequences}
    return _summarise(run, sequences, found)


def _prompts(run: Run[UnusedLogitsConfig]) -> Sequences:
    front = leading_ids(run.tokenizer, run.facts, run.exp.bos)
    return Sequences("prompts", tuple((*front, *run.tokenizer.encode(text)) for text in run.exp.prompts), len(front))


def _windows(run: Run[UnusedLogitsConfig]) -> Sequences:
    exp = run.exp
    try:
        text = RUNNING_TEXT if exp.text_file is None else exp.text_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFailed(f"exp.text_file: {exp.text_file} cannot be read as UTF-8 text: {error}") from error
    # As a batch of one: asked for a text longer than the window, `encode` warns.
    (ids,) = run.tokenizer.encode_batch([text])
    starts = range(0, len(ids) - exp.window + 1, exp.window)
    windows = [tuple(ids[start : start + exp.window]) for start in starts][: exp.n_windows]
    if not windows:
        raise RunFailed(f"exp.window: the text is {len(ids)} tokens, too short for one window of {exp.window}")
    front = leading_ids(run.tokenizer, run.facts, run.exp.bos)
    return Sequences("text", tuple((*front, *window) for window in windows), len(front))


def _read(run: Run[UnusedLogitsConfig], model: CausalModel, sequences: Sequences) -> dict[str, np.ndarray]:
    """Arrays of one kind; positions of all sequences one after the other."""

    def compute(batch: Batch[tuple[int, ...]]) -> dict[str, np.ndarray]:
        parts: dict[str, list[np.ndarray]] = {}
        for number in batch.work:
            ids = sequences.ids[number]
            logits = model.logits(torch.tensor([ids]))[0, max(0, sequences.n_front - 1) :]
            for pool in run.pools.values():
                raw, probability, total, rank = pool_statistics(logits, pool.ids)
                values = {
                    "total": total, "best_rank": rank,
                    "logit_sum": raw.sum(0)[None], "prob_sum": probability.sum(0)[None],
                    "prob_max": probability.max(0).values[None],
                    "last_logit": raw[-1:], "last_prob": probability[-1:],
                    "last_rank": _ranks(logits[-1], pool.ids)[None],
                }  # fmt: skip
                for name, value in values.items():
                    parts.setdefault(f"{pool.name}/{name}", []).append(value.cpu().numpy())
            parts.setdefault("sequence", []).append(np.full(len(logits), number, dtype=np.int64))
        return {name: np.concatenate(values) for name, values in parts.items()}

    def rows(batch: Batch[tuple[int, ...]], arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        return [row for number in batch.work for row in _rows(run, sequences, number, arrays)]

    numbers = range(len(sequences.ids))
    batches = [
        Batch(
            f"{sequences.kind}-{start:05d}",
            tuple(numbers[start : start + _SHARD]),
            len(numbers[start : start + _SHARD]),
        )
        for start in range(0, len(numbers), _SHARD)
    ]
    with run.timer("read"):
        shards = compute_batches(run, batches, compute, rows, f"reading {sequences.kind}")
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def _ranks(logits: Float[Tensor, " d_vocab"], ids: Sequence[int]) -> Tensor:
    """Rank of each of some tokens; 1 is best."""
    ordered = logits.double().sort().values
    chosen = logits.double()[torch.as_tensor(list(ids), device=logits.device)]
    return (len(ordered) - torch.searchsorted(ordered, chosen, right=True) + 1).double()


def _rows(
    run: Run[UnusedLogitsConfig], sequences: Sequences, number: int, arrays: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    places = np.flatnonzero(arrays["sequence"] == number)
    ids = sequences.ids[number][max(0, sequences.n_front - 1) :]
    rows = []
    for position, (place, token) in enumerate(zip(places, ids, strict=True)):
        row: dict[str, Any] = {
            "item": f"{sequences.kind}/{number}/{position}",
            "kind": sequences.kind,
            "sequence": number,
            "position": position,
            "after": shown(run.tokenizer.token_text(token)),
        }
        for pool in run.pools:
            row[f"{pool}/total_probability"] = float(arrays[f"{pool}/total"][place])
            row[f"{pool}/best_rank"] = int(arrays[f"{pool}/best_rank"][place])
        rows.append(row)
    return rows


def _summarise(
    run: Run[UnusedLogitsConfig], sequences: Sequence[Sequences], found: Mapping[str, Mapping[str, np.ndarray]]
) -> Outcome:
    metrics: dict[str, float | int | str | None] = {"d_vocab": run.facts.d_vocab, "top_k": run.exp.top_k}
    arrays: dict[str, np.ndarray] = {}
    for pool in run.pools.values():
        arrays[f"{pool.name}/ids"] = np.array(pool.ids, dtype=np.int64)
        metrics[f"{pool.name}/n_tokens"] = len(pool.ids)
        metrics[f"{pool.name}/uniform_probability"] = len(pool.ids) / run.facts.d_vocab
        for kind in KINDS:
            metrics |= _pool_metrics(pool.name, kind, found[kind], run.exp.top_k)
            arrays |= _pool_arrays(pool.name, kind, found[kind])
        last = found["prompts"]
        arrays[f"{pool.name}/last/logit"] = last[f"{pool.name}/last_logit"].astype(np.float32)
        arrays[f"{pool.name}/last/prob"] = last[f"{pool.name}/last_prob"].astype(np.float32)
        metrics |= _misreading(pool.name, last)
    for kind in KINDS:
        arrays[f"{kind}/sequence"] = found[kind]["sequence"]
    windows = next(item for item in sequences if item.kind == "text")
    details = {
        "top_k": run.exp.top_k,
        "d_vocab": run.facts.d_vocab,
        "pools": {
            pool.name: {
                "label": pool.label,
                "n_ids": len(pool.ids),
                "rule": pool.rule,
                "special_ids": list(pool.special_ids),
                "n_distinct": pool.n_distinct,
            }
            for pool in run.pools.values()
        },
        "prompts": [shown(prompt, 80) for prompt in run.exp.prompts],
        "text": {
            "source": "built in" if run.exp.text_file is None else run.exp.text_file.name,
            "n_windows": len(windows.ids),
            "window": run.exp.window,
        },
        "last": {pool.name: _likeliest_at_the_end(run, pool, found["prompts"]) for pool in run.pools.values()},
    }
    return Outcome(metrics, arrays, details)


def _pool_metrics(
    pool: str, kind: str, found: Mapping[str, np.ndarray], top_k: int
) -> dict[str, float | int | str | None]:
    numbers = found["sequence"]
    sequences = [numbers == number for number in np.unique(numbers)]
    totals = np.array([found[f"{pool}/total"][inside].mean() for inside in sequences])
    entered = found[f"{pool}/best_rank"] <= top_k
    shares = np.array([entered[inside].mean() for inside in sequences])
    size = max(1, round(len(numbers) / len(sequences)))
    n_positions, n_tokens = len(numbers), found[f"{pool}/prob_max"].shape[1]
    return {
        f"{pool}/{kind}/n_sequences": len(sequences),
        f"{pool}/{kind}/n_positions": n_positions,
        **student_t(totals).metrics(f"{pool}/{kind}/total_probability"),
        **wilson_clustered(shares, size).metrics(f"{pool}/{kind}/in_top_k"),
        f"{pool}/{kind}/best_rank_min": int(found[f"{pool}/best_rank"].min()),
        f"{pool}/{kind}/probability_max": float(found[f"{pool}/prob_max"].max()),
        f"{pool}/{kind}/logit_mean": float(found[f"{pool}/logit_sum"].sum() / (n_positions * n_tokens)),
    }


def _pool_arrays(pool: str, kind: str, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    n = len(found["sequence"])
    return {
        f"{pool}/{kind}/total": found[f"{pool}/total"].astype(np.float32),
        f"{pool}/{kind}/best_rank": found[f"{pool}/best_rank"].astype(np.int64),
        f"{pool}/{kind}/logit_mean": (found[f"{pool}/logit_sum"].sum(0) / n).astype(np.float32),
        f"{pool}/{kind}/prob_mean": (found[f"{pool}/prob_sum"].sum(0) / n).astype(np.float32),
        f"{pool}/{kind}/prob_max": found[f"{pool}/prob_max"].max(0).astype(np.float32),
    }


def _misreading(pool: str, last: Mapping[str, np.ndarray]) -> dict[str, float | int | str | None]:
    """The highest raw logit at a prompt's end: what exp() makes of it, and its probability."""
    logits, probabilities = last[f"{pool}/last_logit"], last[f"{pool}/last_prob"]
    place = np.unravel_index(int(np.argmax(logits)), logits.shape)
    logit = float(logits[place])
    return {
        f"{pool}/last/logit_max": logit,
        f"{pool}/last/exp_of_logit_max": math.exp(min(logit, 700.0)),
        f"{pool}/last/probability_of_logit_max": float(probabilities[place]),
    }


def _likeliest_at_the_end(
    run: Run[UnusedLogitsConfig], pool: Pool, last: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    def row(number: int, place: int) -> dict[str, Any]:
        token = pool.ids[place]
        logit = float(last[f"{pool.name}/last_logit"][number, place])
        return {
            "prompt": shown(run.exp.prompts[number], 80),
            "id": token,
            "token": shown(run.tokenizer.token_text(token)),
            "special": token in pool.special_ids,
            "logit": logit,
            "exp_logit": math.exp(min(logit, 700.0)),
            "prob": float(last[f"{pool.name}/last_prob"][number, place]),
            "rank": int(last[f"{pool.name}/last_rank"][number, place]),
        }

    best = [np.argsort(-logits, kind="stable")[:_SHOWN].tolist() for logits in last[f"{pool.name}/last_logit"]]
    return [row(number, place) for number, places in enumerate(best) for place in places]
