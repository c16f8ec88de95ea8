"""repeat_tokens: from what was measured on every sequence to metrics, arrays and details."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from experiments.repeat_tokens import quantities
from experiments.repeat_tokens.quantities import Quantity
from experiments.repeat_tokens.sequences import PoolData
from harness.measure.compare import permutation_p_value
from harness.measure.heads import Head, HeadScore, top_heads, uniform_attention
from harness.measure.intervals import Interval, student_t, student_t_columns

FEWEST_IN_BAND = 5
"""Of sequences at a position, for its log-prob to have an interval."""

Metrics = dict[str, float | int | str | None]


def intervals() -> dict[str, str]:
    """What every interval and test is over, for details.json."""
    return {
        **{quantity.name: quantity.interval_is_over for quantity in quantities.QUANTITIES},
        **{
            f"{score.value}_score_max": "Student t over sequences, for the head with the highest mean; chosen because"
            " it is the highest, its score is slightly too high as an estimate"
            for score in HeadScore
        },
        **{f"compare/{quantity.name}_diff": quantity.difference_is_over for quantity in _compared()},
        "compare/p_value": "the test of copy_effect_diff (of copy_gain_diff where there is no control)",
        "compare/p_value_these_tokens": "permutation of pool labels over pairs of sequences: a claim about these very"
        " tokens in other orders, not about tokens like them",
    }


def _compared() -> list[Quantity]:
    return [quantity for quantity in quantities.QUANTITIES if quantity.is_compared]


def pool_metrics(data: PoolData) -> Metrics:
    """`<pool>/<name>` with interval ends for one pool."""
    own = data.token_units[data.own]
    metrics: Metrics = {
        f"{data.name}/n_sequences": len(data.logprob),
        f"{data.name}/n_tokens": len(np.unique(data.drawn.halves[data.own])),
        f"{data.name}/n_tokens_told_apart": len(np.unique(own)),
    }
    for quantity in quantities.QUANTITIES:
        interval = quantity.interval(data)
        if interval is not None:
            metrics |= interval.metrics(f"{data.name}/{quantity.name}")
    for score in HeadScore if data.attention is not None else ():
        (best,) = ranked_heads(data, score, 1)
        metrics |= _head_interval(data, score, best).metrics(f"{data.name}/{score.value}_score_max")
        metrics[f"{data.name}/{score.value}_head"] = best.label
    return metrics


def pair_metrics(a: PoolData, b: PoolData, seed: int) -> Metrics:
    """`compare/<a>_vs_<b>/...`: `a` minus `b`."""
    prefix = f"compare/{a.name}_vs_{b.name}"
    metrics: Metrics = {}
    for quantity in _compared():
        found = quantity.difference(a, b)
        if found is None:
            continue
        key = f"{prefix}/{quantity.name}_diff"
        metrics |= found[0].metrics(key)
        metrics[f"{key}/p_value"] = found[1]
        pairs_a, pairs_b = (data.by_pair(quantity.of(data)) for data in (a, b))
        metrics[f"{key}/p_value_these_tokens"] = permutation_p_value(pairs_a, pairs_b, seed)
    main = "copy_effect" if f"{prefix}/copy_effect_diff" in metrics else "copy_gain"
    for name in ("p_value", "p_value_these_tokens"):
        metrics[f"{prefix}/{name}"] = metrics[f"{prefix}/{main}_diff/{name}"]
    return metrics


def all_metrics(pools: Sequence[PoolData], seed: int) -> Metrics:
    """Every metric of the run. Resampling starts from `seed`, so equal measurements give equal metrics."""
    metrics: Metrics = {}
    for data in pools:
        metrics |= pool_metrics(data)
    for a, b in combinations(pools, 2):
        metrics |= pair_metrics(a, b, seed)
    return metrics


def mean_scores(data: PoolData, score: HeadScore) -> np.ndarray:
    """Mean over sequences of one score, [layer head]; NaN for heads that a layer does not have."""
    assert data.attention is not None
    return data.attention[..., score.offset(data.drawn.seq_len)].mean(axis=0, dtype=np.float64)


def ranked_heads(data: PoolData, score: HeadScore, n: int) -> list[Head]:
    """The `n` heads with the highest mean score, best first."""
    return top_heads(mean_scores(data, score), n, data.layers)


def shared_top_heads(pools: Sequence[PoolData], n: int) -> list[Head]:
    """The `n` heads with the highest induction score in any pool; none for a model without attention."""
    if pools[0].attention is None:
        return []
    highest = np.max([mean_scores(data, HeadScore.INDUCTION) for data in pools], axis=0)
    return top_heads(highest, n, pools[0].layers)


def shared_previous_heads(pools: Sequence[PoolData], top: Sequence[Head], n: int) -> list[Head]:
    """The `n` heads with the highest previous-token score in any pool that are not among the top heads."""
    if pools[0].attention is None:
        return []
    highest = np.max([mean_scores(data, HeadScore.PREV_TOKEN) for data in pools], axis=0)
    ranked = top_heads(highest, n + len(top), pools[0].layers)
    return [head for head in ranked if head not in top][:n]


def _head_interval(data: PoolData, score: HeadScore, head: Head) -> Interval:
    assert data.attention is not None
    row = data.layers.index(head.layer)
    return student_t(data.attention[:, row, head.head, score.offset(data.drawn.seq_len)])


def pool_arrays(data: PoolData) -> dict[str, np.ndarray]:
    """The curves over positions and the head scores of one pool, as `arrays.py` declares them."""
    both = np.concatenate([data.own, data.own], axis=1)
    counted = np.where(both, data.logprob, np.nan)
    mean, low, high = student_t_columns(counted)
    # Among companions a place may hold the pool's tokens in very few sequences, whose band would say nothing.
    few = (~np.isnan(counted)).sum(axis=0) < FEWEST_IN_BAND
    low, high = np.where(few, np.nan, low), np.where(few, np.nan, np.minimum(high, 0.0))
    arrays = {
        "position/logprob_mean": mean,
        "position/logprob_low": low,
        "position/logprob_high": high,
        "position/accuracy_mean": _column_means(data.correct, both),
        "position/rank_median": _column_medians(data.rank, both),
        "position/entropy_mean": _column_means(data.entropy, both),
    }
    if data.drawn.control is not None:
        arrays["position/logprob_control_mean"] = _column_means(data.control, data.own)
        arrays["position/logprob_foil_mean"] = _column_means(data.foil, data.own)
        arrays["position/logprob_shuffled_mean"] = _column_means(data.shuffled, data.own)
    if data.attention is not None:
        arrays["heads/attention_by_offset"] = data.attention.mean(axis=0, dtype=np.float64)
    named = {f"{data.name}/{name}": array.astype(np.float32) for name, array in arrays.items()}
    return named | {
        f"{data.name}/example/tokens": data.drawn.tokens[0],
        f"{data.name}/example/logprob": data.logprob[0].astype(np.float32),
    }


def _column_means(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Means of the counted values of every column, NaN where there are none."""
    return student_t_columns(np.where(counted, values, np.nan))[0]


def _column_medians(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    columns = zip(values.T, counted.T, strict=True)
    return np.array([np.median(column[here]) if here.any() else np.nan for column, here in columns])


def head_details(
    pools: Sequence[PoolData], top: Sequence[Head], previous: Sequence[Head], n: int, why_none: str | None
) -> dict[str, Any]:
    """`details["heads"]`: the ranking of every pool; `why_none` where the model gives no attention patterns."""
    first = pools[0]
    if first.attention is None:
        return {"applicable": False, "reason": why_none, "layers": [], "top": [], "previous": []}
    return {
        "applicable": True,
        "reason": None,
        "layers": list(first.layers),
        "n_heads": first.attention.shape[2],
        "uniform_attention": uniform_attention(first.drawn.seq_len, first.drawn.first_query),
        "top": [_head_entry(head) for head in top],
        "previous": [_head_entry(head) for head in previous],
        "by_pool": {data.name: {score.value: _ranking(data, score, n) for score in HeadScore} for data in pools},
    }


def _ranking(data: PoolData, score: HeadScore, n: int) -> list[dict[str, Any]]:
    entries = []
    for head in ranked_heads(data, score, n):
        interval = _head_interval(data, score, head)
        entries.append({**_head_entry(head), "score": interval.mean, "low": interval.low, "high": interval.high})
    return entries


def _head_entry(head: Head) -> dict[str, Any]:
    return {"label": head.label, "layer": head.layer, "head": head.head}


def distinct_sequences(data: PoolData) -> int:
    """How many of the pool's sequences differ: a pool of few ids runs out of them."""
    return len(np.unique(data.drawn.halves, axis=0))
