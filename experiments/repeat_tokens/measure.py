"""How exp=repeat_tokens is measured: every pool, then everything else from what was stored."""

from itertools import combinations
from typing import Any

from experiments.repeat_tokens import metrics
from experiments.repeat_tokens.config import RepeatTokensConfig
from experiments.repeat_tokens.metrics import distinct_sequences
from experiments.repeat_tokens.sequences import SHARD, example_patterns, measure_pools
from harness.runs.context import Outcome, Run
from harness.tokens.text import shown

_IDS_IN_DETAILS = 256


def measure(run: Run[RepeatTokensConfig]) -> Outcome:
    """Measure every pool, then compute everything else from what was stored."""

    pools = measure_pools(run)
    _say_what_limits_the_answer(run, pools)
    top = metrics.shared_top_heads(pools, run.exp.top_heads)
    arrays: dict[str, Any] = {}
    for data in pools:
        arrays |= metrics.pool_arrays(data)
    if top:
        arrays |= {f"{pool}/example/pattern": found for pool, found in example_patterns(run, pools, top).items()}
    details = _details(run, pools) | {
        "heads": metrics.head_details(pools, top, run.exp.top_heads),
        "intervals": metrics.intervals(),
    }
    return Outcome(metrics.all_metrics(pools, run.seed), arrays, details)


def _say_what_limits_the_answer(run: Run[RepeatTokensConfig], pools: Any) -> None:
    """Notes that a reader of the numbers needs."""

    if not pools[0].drawn.has_bos:
        run.note(
            "no BOS: this model has none, so nothing predicts the first token; first halves are means over the rest"
        )
    if pools[0].attention is None:
        run.note("head scores are not applicable: this model has no attention patterns")
    for data in pools:
        for note in run.pools[data.name].notes:
            run.note(note)
        n_ids, n = len(run.pools[data.name].ids), len(data.logprob)
        if data.drawn.with_replacement:
            run.note(f"pools.{data.name}: {n_ids} ids are fewer than exp.seq_len, so they are drawn with replacement")
        distinct = distinct_sequences(data)
        if distinct < n:
            run.note(f"pools.{data.name}: only {distinct} of {n} sequences differ, so its intervals are too short")


def _details(run: Run[RepeatTokensConfig], pools: Any) -> dict[str, Any]:

    facts, exp = run.facts, run.exp
    return {
        "seq_len": exp.seq_len,
        "n_sequences": exp.n_sequences,
        "batch_size": exp.batch_size or SHARD,
        "has_bos": pools[0].drawn.has_bos,
        "bos_id": facts.bos_id,
        "pools": {data.name: _pool_details(run, data) for data in pools},
        "examples": {
            data.name: {"item": f"{data.name}/0", "tokens_shown": _shown(run, data.drawn.tokens[0].tolist())}
            for data in pools
        },
        "comparisons": [{"a": a.name, "b": b.name} for a, b in combinations(pools, 2)],
    }


def _pool_details(run: Run[RepeatTokensConfig], data: Any) -> dict[str, Any]:
    pool = run.pools[data.name]
    ids = list(pool.ids[:_IDS_IN_DETAILS])
    return {
        "spec": pool.spec,
        "label": pool.label,
        "is_proxy": pool.is_proxy,
        "n_ids": len(pool.ids),
        "ids": ids,
        "shown": _shown(run, ids),
        "with_replacement": data.drawn.with_replacement,
        "notes": list(pool.notes),
    }


def _shown(run: Run[RepeatTokensConfig], ids: list[int]) -> list[str]:
    """Tokens as a person may read them; their ids where there is no tokenizer."""

    if not run.has_tokenizer:
        return [str(token) for token in ids]
    return [shown(run.tokenizer.token_text(token)) for token in ids]
