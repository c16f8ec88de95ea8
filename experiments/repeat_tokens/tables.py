"""Tables of one repeat_tokens run, from its stored files."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from experiments.repeat_tokens import data
from experiments.repeat_tokens.quantities import Shown, shown_in
from harness.measure.compare import least_p_value
from harness.reporting.display import Table
from harness.reporting.figures.tables import HIGH, LOW, interval_columns, with_floors
from harness.reporting.pools import pools_shown
from harness.reporting.words import spaced
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

SHOWN_TOKENS = 12


def pool_metrics(run: StoredRun) -> pd.DataFrame:
    """Every mean of every pool with its interval, beside the published value."""
    rows = []
    labels = {quantity.name: quantity.label for quantity in shown_in(Shown.TABLE)}
    for name, words in {**labels, "induction_score_max": "highest induction score"}.items():
        for pool in pools_shown(run):
            value = data.measured(run, pool, name)
            if value.mean is None:
                continue
            rows.append(
                {
                    "measure": words,
                    "pool": pool,
                    **interval_columns("mean", value.interval),
                    "tokens": run.metrics.get(f"{pool}/n_tokens_told_apart"),
                    "sequences": run.metrics.get(f"{pool}/n_sequences"),
                    "published": value.published,
                }
            )
    frame = pd.DataFrame(rows)
    return frame.drop(columns="published") if rows and not data.published(run) else frame


def comparisons(run: StoredRun) -> pd.DataFrame:
    """The difference between every two pools: for these kinds of tokens, and for these very ones."""
    rows = []
    warning = data.warning(run)
    for pair in run.details.get("comparisons", []):
        prefix = f"compare/{pair['a']}_vs_{pair['b']}/"
        names = [key.removeprefix(prefix) for key in run.metrics if key.startswith(prefix)]
        for name in (name for name in names if name.endswith("_diff")):
            rows.append(  # noqa: PERF401
                {
                    "comparison": f"{pair['a']} − {pair['b']}",
                    "measure": spaced(name.removesuffix("_diff")),
                    **interval_columns("difference", run.interval(prefix + name)),
                    "p": run.metrics.get(f"{prefix}{name}/p_value"),
                    "p, these very tokens": run.metrics.get(f"{prefix}{name}/p_value_these_tokens"),
                    **({} if warning is None else {"caution": warning}),
                }
            )
    return with_floors(pd.DataFrame(rows), {"p, these very tokens": least_p_value()})


def top_heads(run: StoredRun) -> pd.DataFrame | None:
    """The highest-scoring heads of every pool and score."""
    if not data.has_heads(run):
        return None
    rows: list[dict[str, Any]] = []
    by_pool = run.details["heads"].get("by_pool", {})
    for score, words in data.SCORES.items():
        for pool in pools_shown(run):
            rows += [
                {
                    "score": words,
                    "pool": pool,
                    "head": head["label"],
                    **interval_columns("mean attention", (head["score"], head.get("low"), head.get("high"))),
                }
                for head in by_pool.get(pool, {}).get(score, [])[:5]
            ]
    return pd.DataFrame(rows)


def by_position(run: StoredRun) -> pd.DataFrame:
    """Every curve over positions."""
    frames = []
    columns = {
        "log-prob": "logprob_mean",
        f"log-prob{LOW}": "logprob_low",
        f"log-prob{HIGH}": "logprob_high",
        "accuracy": "accuracy_mean",
        "rank": "rank_median",
        "entropy": "entropy_mean",
    }
    length = data.seq_len(run)
    for pool in pools_shown(run):
        curves = {words: data.position(run, pool, name) for words, name in columns.items()}
        found = {words: values for words, values in curves.items() if values is not None}
        halves = ["first"] * length + ["second"] * length
        frames.append(pd.DataFrame({"pool": pool, "position": range(2 * length), "half": halves, **found}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def head_scores(run: StoredRun) -> pd.DataFrame:
    """The three scores of every head and pool."""
    rows = []
    for pool in pools_shown(run):
        attention = data.by_offset(run, pool)
        if attention is None:
            continue
        scores = {words: attention[:, :, data.score_offset(run, score)] for score, words in data.SCORES.items()}
        for row, layer in enumerate(data.layers(run)):
            rows += [
                {"pool": pool, "layer": layer, "head": head, **{w: float(s[row, head]) for w, s in scores.items()}}
                for head in range(attention.shape[1])
            ]
    return pd.DataFrame(rows)


def pools(run: StoredRun) -> pd.DataFrame:
    """What every pool holds and how tokens were drawn from it."""
    rows = []
    for name in pools_shown(run):
        facts = run.details["pools"][name]
        shown = [visible(str(token)) for token in facts.get("shown", [])]
        counts = data.exposures_of(run, name)
        rows.append(
            {
                "pool": name,
                "spec": data.spec_text(facts.get("spec", "")),
                "what": str(facts.get("label", "")) + (" (a proxy)" if facts.get("is_proxy") else ""),
                "tokens": facts.get("n_ids"),
                "told apart": facts.get("n_told_apart"),
                "special": facts.get("n_special"),
                "in a half": facts.get("n_in_half"),
                "drawn": run.details.get("draws", ""),
                **({} if counts is None else exposure_columns(counts)),
                "for example": "  ".join(shown[:SHOWN_TOKENS]) + ("  …" if len(shown) > SHOWN_TOKENS else ""),
            }
        )
    return pd.DataFrame(rows)


def exposure_columns(counts: Mapping[str, float | int]) -> dict[str, float | int]:
    """How often training showed the tokens measured, in all and by stream."""
    return {
        "shown (mean)": counts["mean"],
        **{f"shown in {stream}": counts[stream] for stream in ("text", "repeats", "tasks")},
    }


def tokens(run: StoredRun) -> pd.DataFrame:
    """Every token that was drawn, lowest copy effect first within its pool."""
    found = data.tokens_of(run)
    rows = []
    for row in found.to_dict("records"):
        coinciding = int(row["n_coinciding"])
        rows.append(
            {
                "pool": row["pool"],
                "id": int(row["token"]),
                "token": visible(str(row["shown"])) + (" (special)" if row["special"] else ""),
                "appearances": int(row["n_appearances"]),
                **interval_columns(
                    "copy effect", (row["copy_effect"], row["copy_effect_low"], row["copy_effect_high"])
                ),
                "logit difference": row.get("logit_diff"),
                "by order": row["order_effect"],
                "copy accuracy": row["copy_accuracy"],
                "log-prob": row["logprob_second_half"],
                "log-prob after another half": row["logprob_control"],
                "coinciding tokens": coinciding if coinciding > 1 else None,
                "log-prob with them": row["logprob_coinciding"] if coinciding > 1 else None,
            }
        )
    frame = pd.DataFrame(rows)
    return frame.dropna(axis="columns", how="all")


TABLES = (
    Table(
        "pool_metrics",
        "Means over each pool's tokens with 95 % intervals clustered by token and by sequence. Copy effect: log-prob "
        "of the second half after its own first half minus after another first half; logit difference: to the token at "
        "that place of the other half, which did not occur; by order: log-prob minus that after its own tokens "
        "shuffled. Cued positions leave out the second half's first, which nothing announces.",
        pool_metrics,
    ),
    Table(
        "comparisons",
        "Differences between pools. Interval and p are clustered by token and by sequence, a claim about these kinds "
        "of tokens; the last p permutes sequences and is about these very tokens.",
        comparisons,
    ),
    Table(
        "tokens",
        "Every token that was drawn, lowest copy effect first: means in nats over its appearances in the second half, "
        "without the first position, which nothing announces.",
        tokens,
    ),
    Table(
        "top_heads",
        "Heads with the highest mean attention from the second half to the token after the earlier copy (induction), "
        "to the token before, and to the earlier copy (duplicate token).",
        top_heads,
    ),
    Table(
        "by_position",
        "Every position of the sequence, means over the pool's own tokens: log-prob with its 95 % interval and entropy "
        "in nats, top-1 accuracy, median rank of the right token.",
        by_position,
    ),
    Table("head_scores", "Mean attention from the second half, every head.", head_scores),
    Table("pools", "The pools under comparison.", pools),
)
