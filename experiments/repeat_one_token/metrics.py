"""The numbers and arrays of a run, from what was measured."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from experiments.repeat_one_token.first_token import FirstTokenLayer
from experiments.repeat_one_token.quantities import QUANTITIES, Answer, known
from experiments.repeat_one_token.sequences import BOS, FIRST
from harness.measure.compare import permutation_p_value
from harness.measure.heads import Head

Metrics = dict[str, float | int | str | None]

_KEYS = {"first": FIRST, "bos": BOS}


def all_metrics(answers: Sequence[Answer], layer: FirstTokenLayer | None, even: float | None, seed: int) -> Metrics:
    """Every metric of the run; resampling starts from `seed`. What could not be measured is None."""
    metrics: Metrics = {
        "first_token/factor": None if layer is None else layer.factor,
        "first_token/layer": None if layer is None else layer.number,
        "attention_even": even,
    }
    for answer in answers:
        metrics |= _pool_metrics(answer, seed)
    for a, b in combinations(answers, 2):
        metrics |= _pair_metrics(a, b, seed)
    return metrics


def even_share(first: int, n_repetitions: int) -> float:
    """What copies after the first would pay to one position if each spread its attention evenly, mean over them."""
    return float(np.mean([1 / (first + n) for n in range(2, n_repetitions + 1)]))


def _pool_metrics(answer: Answer, seed: int) -> Metrics:
    name, going_on = answer.data.name, answer.going_on
    metrics: Metrics = {
        f"{name}/n_tokens": len(answer.data.logprob),
        f"{name}/n_started": int(going_on.has_started.sum()),
        f"{name}/n_diverged": int((going_on.diverges > 0).sum()),
        f"{name}/starts_median": _median(going_on.starts),
        f"{name}/diverges_median": _median(going_on.diverges),
    }
    for quantity in QUANTITIES:
        found = quantity.interval(answer, seed)
        key = f"{name}/{quantity.name}"
        metrics |= {key: None, f"{key}/ci_low": None, f"{key}/ci_high": None} if found is None else found.metrics(key)
    curve = going_on.survival()
    median = None if curve is None else curve.median
    key = f"{name}/goes_on_median"
    metrics |= {key: None, f"{key}/ci_low": None, f"{key}/ci_high": None} if median is None else median.metrics(key)
    for what, place in _KEYS.items():
        head = _highest_head(answer, place)
        metrics[f"{name}/attention_{what}_head"] = None if head is None else head[0].label
        metrics[f"{name}/attention_{what}_head_max"] = None if head is None else head[1]
    return metrics


def _median(counts: np.ndarray) -> float | None:
    """Of those where it happened (not 0)."""
    happened = counts[counts > 0]
    return float(np.median(happened)) if len(happened) else None


def _pair_metrics(a: Answer, b: Answer, seed: int) -> Metrics:
    """`compare/<a>_vs_<b>/...`: `a` minus `b`."""
    metrics: Metrics = {}
    for quantity in QUANTITIES:
        found = quantity.difference(a, b, seed)
        if found is None:
            continue
        key = f"compare/{a.data.name}_vs_{b.data.name}/{quantity.name}_diff"
        metrics |= found.metrics(key)
        metrics[f"{key}/p_value"] = permutation_p_value(known(quantity.of(a)), known(quantity.of(b)), seed)
    return metrics


def mean_by_head(answer: Answer, key: int) -> np.ndarray | None:
    """Attention from copies after the first, [layer head], mean over tokens; None where that was not measured."""
    by_head = answer.data.repeated.by_head
    if by_head is None or (key == BOS and not answer.has_bos):
        return None
    return by_head[..., key].mean(axis=0, dtype=np.float64)


def _highest_head(answer: Answer, key: int) -> tuple[Head, float] | None:
    means = mean_by_head(answer, key)
    if means is None:
        return None
    row, head = np.unravel_index(int(np.nanargmax(means)), means.shape)
    return Head(answer.data.attending[int(row)], int(head)), float(means[row, head])


def pool_arrays(answer: Answer) -> dict[str, np.ndarray]:
    """The arrays of one pool, as `arrays.py` declares them."""
    data = answer.data
    arrays: dict[str, np.ndarray] = {}
    curve = answer.going_on.survival()
    if curve is not None:
        arrays |= {f"going_on/{part}": getattr(curve, part) for part in ("time", "share", "low", "high")}
    if answer.norms is not None:
        norms = answer.norms
        arrays |= {
            "norm": norms.copies,
            "norm/control": norms.control,
            "norm/by_layer": norms.by_layer,
            "norm/by_layer_control": norms.by_layer_control,
        }
    for what, key in _KEYS.items():
        means = mean_by_head(answer, key)
        if means is None or data.repeated.attention is None:
            continue
        arrays[f"attention/{what}"] = data.repeated.attention[..., key]
        arrays[f"attention/{what}_by_head"] = means
        if data.control is not None and data.control.attention is not None:
            arrays[f"attention/{what}_control"] = data.control.attention[..., key]
    narrow = {"logprob": data.logprob, **arrays}
    whole = {"ids": data.tokens.ids, "rank": data.rank, "likeliest": data.likeliest}
    return {f"{data.name}/{name}": np.ascontiguousarray(array, np.float32) for name, array in narrow.items()} | {
        f"{data.name}/{name}": np.ascontiguousarray(array, np.int64) for name, array in whole.items()
    }


def intervals() -> Mapping[str, Any]:
    """What every interval is over, by the name of its metric."""
    means = {
        quantity.name: "Wilson, over tokens" if quantity.is_share else "percentile bootstrap over tokens"
        for quantity in QUANTITIES
    }
    differences = {
        f"compare/{quantity.name}_diff": "Newcombe from the pools' Wilson intervals, over tokens; p: permuted tokens"
        if quantity.is_share
        else "percentile bootstrap over tokens, pools apart; p: permuted tokens"
        for quantity in QUANTITIES
    }
    return {**means, **differences, "goes_on_median": "where the Kaplan-Meier band over tokens crosses a half"}
