"""Does the model predict the second copy of a random sequence, and does that depend on which tokens it is made of?

`[BOS?] half half`: a model with induction heads predicts the second half well. The experiment draws such sequences from
every pool, measures the log-prob of each token and where each head looks from the second half, and compares the pools.

Arrays (arrays.safetensors). `position` runs over the 2 * seq_len tokens after BOS: 0..seq_len-1 is the first half,
seq_len..2*seq_len-1 the second. Values are float32, NaN where there is none (position 0 of a model without BOS, the
ends of an interval over one sequence).

| name                             | axes               | meaning                                                      |
|----------------------------------|--------------------|--------------------------------------------------------------|
| <pool>/position/logprob_mean     | position           | nats, mean over sequences                                    |
| <pool>/position/logprob_low      | position           | its 95 % interval (Student t over sequences)                 |
| <pool>/position/logprob_high     | position           |                                                              |
| <pool>/position/accuracy_mean    | position           | share of sequences whose most likely token is the right one  |
| <pool>/position/rank_median      | position           | median over sequences of the target's rank, 1 is best        |
| <pool>/position/entropy_mean     | position           | nats, mean over sequences                                    |
| <pool>/heads/attention_by_offset | layer head offset  | mean attention from second-half queries to key=query-offset, |
|                                  |                    | offset 0..seq_len; 1: previous token, seq_len-1: induction,  |
|                                  |                    | seq_len: duplicate token                                     |
| <pool>/example/pattern           | top_head query key | attention of the pool's first sequence, BOS included         |
| <pool>/example/tokens            | pos                | its token ids (int64), BOS included                          |

`layer` counts the layers that have attention; details: heads.layers holds their numbers in the model. The arrays
under heads/ and example/pattern are absent where the model has no attention patterns (details: heads.applicable). A
head that a layer does not have is NaN.

Details (details.json):

    seq_len, n_sequences, batch_size, has_bos, bos_id
    pools: {pool: {spec, label, is_proxy, n_ids, ids, shown, with_replacement, notes}}   ids, shown: at most 256
    heads: {applicable, reason, layers: [int], n_heads, uniform_attention, top: [{label, layer, head}],
            by_pool: {pool: {induction | prev_token | duplicate_token: [{label, layer, head, score, low, high}]}}}
        top: the heads of example/pattern, the same for every pool; label is "L.H"
        uniform_attention: the score of a head that looks everywhere equally, to judge scores against
    examples: {pool: {tokens_shown: [str], item}}
    comparisons: [{a, b}]                 the pairs under compare/<a>_vs_<b>/
    intervals: {metric name: sentence}    what each interval is over
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from experiments.repeat_tokens import metrics as metrics
from experiments.repeat_tokens.figures import FIGURES, headline, panels
from experiments.repeat_tokens.measure import SHARD, example_patterns, measure_pools
from experiments.repeat_tokens.metrics import distinct_sequences
from experiments.repeat_tokens.paper import PAPER_FIGURES, PAPER_TABLES
from experiments.repeat_tokens.tables import TABLES
from harness.errors import Rejected
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment, Needs
from harness.tokens.text import shown

_IDS_IN_DETAILS = 256


@dataclass(frozen=True)
class RepeatTokensConfig:
    """Parameters of `exp=repeat_tokens`."""

    seq_len: int = 25
    """Tokens in one half."""
    n_sequences: int = 64
    """Sequences of each pool."""
    top_heads: int = 4
    """Heads whose attention patterns are kept."""
    batch_size: int | None = None
    """Sequences in one pass; default: up to 16, fewer where memory is short."""

    def __post_init__(self) -> None:
        if self.seq_len < 2:
            raise Rejected.key(
                "exp.seq_len", self.seq_len, "2 or more (the second half's first token is not announced)"
            )
        for name in ("n_sequences", "top_heads"):
            if getattr(self, name) < 1:
                raise Rejected.key(f"exp.{name}", getattr(self, name), "1 or more")
        if self.batch_size is not None and self.batch_size < 1:
            raise Rejected.key("exp.batch_size", self.batch_size, "1 or more, or null to choose")


def check(context: CheckContext) -> None:
    """Refuse sequences that do not fit the model's context window."""
    facts, exp = context.facts, context.exp
    if facts is None or facts.n_ctx is None:
        return
    bos = int(facts.bos_id is not None)
    longest = (facts.n_ctx - bos) // 2
    if exp.seq_len > longest:
        front = "BOS and " if bos else ""
        raise Rejected.key(
            "exp.seq_len",
            exp.seq_len,
            f"2 to {longest} ({front}two halves within the {facts.n_ctx} tokens of the context)",
        )


def run(run: Run) -> Outcome:
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
        "intervals": metrics.INTERVALS,
    }
    return Outcome(metrics.all_metrics(pools, run.seed), arrays, details)


def _say_what_limits_the_answer(run: Run, pools: Any) -> None:
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


def _details(run: Run, pools: Any) -> dict[str, Any]:

    facts, exp = run.facts, run.exp
    return {
        "seq_len": exp.seq_len,
        "n_sequences": exp.n_sequences,
        "batch_size": exp.batch_size or SHARD,
        "has_bos": pools[0].drawn.has_bos,
        "bos_id": facts.bos_id if facts is not None else None,
        "pools": {data.name: _pool_details(run, data) for data in pools},
        "examples": {
            data.name: {"item": f"{data.name}/0", "tokens_shown": _shown(run, data.drawn.tokens[0].tolist())}
            for data in pools
        },
        "comparisons": [{"a": a.name, "b": b.name} for a, b in combinations(pools, 2)],
    }


def _pool_details(run: Run, data: Any) -> dict[str, Any]:
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


def _shown(run: Run, ids: list[int]) -> list[str]:
    """Tokens as a person may read them; their ids where there is no tokenizer."""

    if run.tokenizer is None:
        return [str(token) for token in ids]
    return [shown(run.tokenizer.token_text(token)) for token in ids]


EXPERIMENT = Experiment(
    name="repeat_tokens",
    version=1,
    summary="Random sequences seen twice: how well unused tokens are copied, against common ones, and by which heads.",
    config=RepeatTokensConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.POOLS}),
    check=check,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    panels=panels,
    paper_figures=PAPER_FIGURES,
    paper_tables=PAPER_TABLES,
)
