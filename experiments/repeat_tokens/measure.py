"""How exp=repeat_tokens is measured: every pool, then everything else from what was stored."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from experiments.repeat_tokens import metrics
from experiments.repeat_tokens.config import RepeatTokensConfig
from experiments.repeat_tokens.draws import DrawPlan, notes, plan_draws
from experiments.repeat_tokens.metrics import distinct_sequences
from experiments.repeat_tokens.per_token import token_rows
from experiments.repeat_tokens.sequences import SHARD, PoolData, example_patterns, measure_pools
from harness.glitch.copying.coinciding import find_coinciding
from harness.models.exposures import STREAMS
from harness.runs.context import Outcome, Run

_IDS_IN_DETAILS = 256
_N_PREVIOUS = 2
"""Previous-token heads whose patterns are kept beside those of the top heads: induction is made of both."""


def measure(run: Run[RepeatTokensConfig]) -> Outcome:
    """Measure every pool, then compute everything else from what was stored."""
    coinciding = find_coinciding(run)
    plan = plan_draws(run, coinciding.seen)
    pools = measure_pools(run, plan, coinciding)
    _say_what_limits_the_answer(run, plan, pools)
    for data in pools:
        run.records.append(token_rows(data, dict(coinciding.said), run.facts.special_ids, run.shown))
    top = metrics.shared_top_heads(pools, run.exp.top_heads)
    arrays: dict[str, Any] = {}
    for data in pools:
        arrays |= metrics.pool_arrays(data)
    previous = metrics.shared_previous_heads(pools, top, _N_PREVIOUS)
    if top:
        patterns = example_patterns(run, pools, [*top, *previous])
        arrays |= {f"{pool}/example/pattern": found for pool, found in patterns.items()}
    why_none = run.model.no_patterns_reason if pools[0].attention is None else None
    details = _details(run, plan, pools) | {
        "heads": metrics.head_details(pools, top, previous, run.exp.top_heads, why_none),
        "intervals": metrics.intervals(),
    }
    return Outcome(metrics.all_metrics(pools, run.seed), arrays, details)


def _say_what_limits_the_answer(run: Run[RepeatTokensConfig], plan: DrawPlan, pools: Sequence[PoolData]) -> None:
    """Notes that a reader of the numbers needs."""
    if not pools[0].drawn.has_bos:
        run.note(
            "no BOS: this model has none, so nothing predicts the first token; first halves are means over the rest"
        )
    if pools[0].attention is None:
        run.note(f"{run.model.no_patterns_reason}: head scores do not apply to it")
    for data in pools:
        for note in run.pools[data.name].notes:
            run.note(note)
    for note in notes(run, plan):
        run.note(note)
    for data in pools:
        n, distinct = len(data.logprob), distinct_sequences(data)
        if distinct < n:
            run.warn(f"pools.{data.name}: only {distinct} of {n} sequences differ, so its intervals are too short")


def _details(run: Run[RepeatTokensConfig], plan: DrawPlan, pools: Sequence[PoolData]) -> dict[str, Any]:
    facts, exp = run.facts, run.exp
    return {
        "seq_len": exp.seq_len,
        "n_sequences": exp.n_sequences,
        "batch_size": exp.batch_size or SHARD,
        "has_bos": pools[0].drawn.has_bos,
        "bos_id": facts.bos_id,
        "draws": plan.draws.value,
        "is_matched": plan.is_matched,
        "companions": None if plan.companions is None else plan.companions.source,
        "pools": {data.name: _pool_details(run, plan, data) for data in pools},
        "examples": {
            data.name: {
                "item": f"{data.name}/0",
                "tokens_shown": [run.shown(token) for token in data.drawn.tokens[0].tolist()],
                "own": data.drawn.own[0].tolist(),
            }
            for data in pools
        },
        "comparisons": [{"a": a.name, "b": b.name} for a, b in combinations(pools, 2)],
    }


def _pool_details(run: Run[RepeatTokensConfig], plan: DrawPlan, data: PoolData) -> dict[str, Any]:
    pool = run.pools[data.name]
    ids = list(pool.ids[:_IDS_IN_DETAILS])
    return {
        "spec": pool.spec,
        "label": pool.label,
        "is_proxy": pool.is_proxy,
        "n_ids": len(pool.ids),
        "n_told_apart": len(plan.units[data.name]),
        "n_in_half": plan.n_own[data.name],
        "n_special": len(set(pool.ids) & set(run.facts.special_ids)),
        "ids": ids,
        "shown": [run.shown(token) for token in ids],
        "notes": list(pool.notes),
        "exposures": _exposures(run, data),
    }


def _exposures(run: Run[RepeatTokensConfig], data: PoolData) -> dict[str, float | int] | None:
    """How often training showed the pool's tokens that were measured, each as often as it appears."""
    counts = run.facts.exposures
    if counts is None:
        return None
    drawn = data.drawn.halves[data.own]
    total = counts.total[drawn]
    streams = {stream: float(getattr(counts, stream)[drawn].mean()) for stream in STREAMS}
    return {"mean": float(total.mean()), "low": int(total.min()), "high": int(total.max()), **streams}
