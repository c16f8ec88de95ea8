"""Tables of one copy_map run, from its stored files."""

from typing import Any

import numpy as np
import pandas as pd

from experiments.copy_map.what_counts import PLANTED, Question
from harness.measure.exposures import range_words
from harness.measure.intervals import wilson
from harness.reporting.display import Table
from harness.reporting.figures.tables import HIGH, LOW, interval_columns
from harness.reporting.words import INDICATORS
from harness.runs.results.stored_run import StoredRun
from harness.tokens.kinds import LABELS, TokenKind

_MOST_RANKED = 300


def kinds_shown(run: StoredRun) -> list[TokenKind]:
    """The kinds that the run's tokens are of, in the order in which they are shown."""
    return [kind for kind in LABELS if run.metrics.get(f"kind/{kind.value}/n")]


def worst_table(run: StoredRun) -> pd.DataFrame | None:
    """The worst tokens, asked again in fresh draws; lowest log-prob when they were chosen first."""
    worst, arrays = run.details["worst"], run.arrays
    if not worst:
        return None
    rows = np.searchsorted(arrays["ids"], arrays["worst/ids"])
    table: dict[str, Any] = {
        "id": arrays["worst/ids"],
        "token": [item["token"] for item in worst],
        "kind": [LABELS[TokenKind(item["kind"])] for item in worst],
    }
    if "exposures" in arrays:
        table["exposures"] = arrays["exposures"][rows]
    table["log-prob when chosen (nats)"] = arrays["logprob"][rows]
    for name, label in (
        ("logprob", "log-prob, asked again"), ("copy_effect", "copy effect, asked again"),
        ("logit_diff", "logit difference, asked again"),
    ):  # fmt: skip
        table[label] = arrays[f"worst/{name}"]
        table[f"{label}{LOW}"], table[f"{label}{HIGH}"] = (
            arrays[f"worst/{name}/{end}"] for end in ("ci_low", "ci_high")
        )
    table["median rank"] = arrays["worst/rank"]
    table[f"missed, of {run.details['n_appearances_worst']}"] = arrays["worst/missed"]
    table["coinciding ids"] = arrays["alike"][rows]
    return pd.DataFrame(table)


def ranked_table(run: StoredRun) -> pd.DataFrame | None:
    """The tokens with the lowest log-probs as they were first asked, where none was asked again."""
    if run.details["worst"] or run.records.empty:
        return None
    lowest = run.records.sort_values(["logprob", "id"]).head(_MOST_RANKED)
    table = {
        "id": lowest["id"],
        "token": lowest["token"],
        "kind": [LABELS[TokenKind(kind)] for kind in lowest["kind"]],
        "log-prob (nats)": lowest["logprob"],
        "copy effect (nats)": lowest["copy_effect"],
        "logit difference (nats)": lowest["logit_diff"],
        "median rank": lowest["rank"],
        f"missed, of {run.details['n_appearances']}": lowest["missed"],
    }
    return pd.DataFrame(table)


def kinds_table(run: StoredRun) -> pd.DataFrame:
    """Every kind of token: how many, and how many are not copied."""
    rows = []
    for kind in kinds_shown(run):
        name = f"kind/{kind.value}"
        rows.append(
            {
                "tokens": LABELS[kind],
                "n": run.metrics[f"{name}/n"],
                "not copied": run.metrics[f"{name}/not_copied"],
                **interval_columns("share", run.interval(f"{name}/not_copied_share")),
                "median log-prob (nats)": run.metrics[f"{name}/logprob_median"],
                "median logit difference (nats)": run.metrics[f"{name}/logit_diff_median"],
            }
        )
    return pd.DataFrame(rows)


def missed_table(run: StoredRun) -> pd.DataFrame:
    """How many tokens were missed how often, of all and of the well-known ones."""
    known, every = run.details["calibration"]["by_missed"], run.details["by_missed"]
    return pd.DataFrame(
        {
            f"missed, of {run.details['n_appearances']}": range(len(every)),
            "tokens": every,
            "share": np.asarray(every) / max(1, sum(every)),
            "well-known tokens": known,
            "share of these": np.asarray(known) / max(1, sum(known)),
        }
    )


def exposures_table(run: StoredRun) -> pd.DataFrame:
    """Not copied by how often training showed the token."""
    rows = []
    for row in run.details["by_exposures"]:
        share = wilson(row["not_copied"], row["n"])
        rows.append(
            {
                "tokens": "planted" if row["planted"] else "natural",
                "times shown": range_words(row["low"], row["high"]),
                "n": row["n"],
                "not copied": row["not_copied"],
                **interval_columns("share", (share.mean, share.low, share.high)),
                "log-prob (nats)": row["logprob"],
                "copy effect (nats)": row["copy_effect"],
                "logit difference (nats)": row["logit_diff"],
            }
        )
    return pd.DataFrame(rows)


_QUESTIONS = {
    Question.TOGETHER: ("natural", "beside the other streams"),
    Question.ALONE: ("natural", "on its own"),
    Question.DOSE: ("planted", "on its own"),
    Question.SHIFT: ("all", "beside the shift of planted ones"),
    Question.ONE_CURVE: ("all", "on its own"),
    Question.ANY_COUNT: ("natural, shown any number of times", "beside the other streams"),
}
"""Which tokens, and what the first term of a fit stands beside."""
COUNT_WORDS = {
    "total": "all exposures", "text": "in text", "repeats": "in repeated sequences", "tasks": "in tasks",
}  # fmt: skip


def what_counts_table(run: StoredRun) -> pd.DataFrame | None:
    """Every coefficient of every regression of copying on exposures."""
    found = run.details.get("what_counts")
    if not found:
        return None
    rows = []
    for fit in found["fits"]:
        tokens, beside = _QUESTIONS[Question(fit["question"])]
        first = COUNT_WORDS[fit["terms"][0]["term"]]
        for term in fit["terms"]:
            is_shift = term["term"] == PLANTED
            rows.append(
                {
                    "tokens": tokens,
                    "n": fit["n"],
                    "term": f"planted, at equal counts {first}" if is_shift else COUNT_WORDS[term["term"]],
                    "fitted": f"beside {first}" if is_shift else beside,
                    **interval_columns("coefficient", (term["mean"], term["low"], term["high"])),
                    "variance inflation": term["inflation"],
                    "deviance explained": fit["explained"],
                    "no estimate, since": fit["why_none"],
                }
            )
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def indicators_table(run: StoredRun) -> pd.DataFrame:
    """How far the weights alone tell which tokens are copied."""
    rows = [
        {
            "indicator": INDICATORS[name],
            **interval_columns("rank correlation with log-prob", run.interval(f"indicator/{name}/spearman")),
            "ROC area, not copied": run.metrics.get(f"indicator/{name}/roc_auc"),
        }
        for name in INDICATORS
        if f"indicator/{name}" in run.arrays
    ]
    return pd.DataFrame(rows)


def census_table(run: StoredRun) -> pd.DataFrame | None:
    """Verdicts of map and census on the tokens that have both."""
    if not run.metrics.get("census/n"):
        return None
    counts = {name: run.metrics[f"census/{name}"] for name in ("both", "only_copy_map", "only_census", "neither")}
    return pd.DataFrame(
        {
            "": ["not copied", "copied"],
            "fails the census": [counts["both"], counts["only_census"]],
            "passes the census": [counts["only_copy_map"], counts["neither"]],
        }
    )


TABLES = (
    Table(
        "worst",
        "The tokens with the lowest log-probs, asked again in fresh draws (95 % Student t intervals over each token's "
        "appearances); of tokens that are the same to the model only one.",
        worst_table,
    ),
    Table("lowest", "The tokens with the lowest log-probs.", ranked_table),
    Table("kinds", "Tokens that are not copied, by kind (95 % Wilson intervals).", kinds_table),
    Table("missed", "How often tokens were missed.", missed_table),
    Table("exposures", "Not copied by how often training showed the token (95 % Wilson intervals).", exposures_table),
    Table(
        "what_counts",
        "Logistic regressions of copied appearances on log(1 + times shown), by token: coefficients with 95 % "
        "intervals clustered by token, how many times each one's variance is inflated by the terms beside it, and the "
        "share of the deviance explained. Tokens shown more often than any planted one are left out, but where stated.",
        what_counts_table,
    ),
    Table("indicators", "Copying against indicators from the weights (low is suspicious).", indicators_table),
    Table("census", "Verdicts of the map and of the census, on the tokens that have both.", census_table),
)
