"""Tables of one unused_logits run, from its stored files."""

import pandas as pd

from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.pools import pools_shown
from harness.reporting.words import yes_no
from harness.runs.results.stored_run import StoredRun

KINDS = {"prompts": "prompts", "text": "running text"}


def summary_table(run: StoredRun) -> pd.DataFrame:
    """What every pool gets, for prompts and for running text."""
    top = f"positions with one in the top {run.details['top_k']}"
    rows = []
    for kind, words in KINDS.items():
        for pool in pools_shown(run):
            key = f"{pool}/{kind}"
            row = {
                "read": words,
                "pool": pool,
                "tokens": run.metrics[f"{pool}/n_tokens"],
                "positions": run.metrics[f"{key}/n_positions"],
            }
            for name, label in (("total_probability", "probability of all"), ("in_top_k", top)):
                row |= interval_columns(label, run.interval(f"{key}/{name}"))
            row["best rank"] = run.metrics[f"{key}/best_rank_min"]
            row["largest probability of one"] = run.metrics[f"{key}/probability_max"]
            row["mean raw logit"] = run.metrics[f"{key}/logit_mean"]
            row["if all were equal"] = run.metrics[f"{pool}/uniform_probability"]
            rows.append(row)
    return pd.DataFrame(rows)


def misreading_table(run: StoredRun) -> pd.DataFrame:
    """Raw logit, exp(logit) and probability side by side."""
    rows = [
        {
            "prompt": row["prompt"],
            "pool": pool,
            "id": row["id"],
            "token": row["token"],
            "special": yes_no(row.get("special", False)),
            "raw logit": row["logit"],
            "exp(logit), no probability": row["exp_logit"],
            "probability": row["prob"],
            "rank": row["rank"],
        }
        for pool in pools_shown(run)
        for row in run.details["last"][pool]
    ]
    return pd.DataFrame(rows)


TABLES = (
    Table(
        "summary",
        "Probability of each whole pool (95 % Student t interval over sequences) and how often one of its tokens is "
        "among the likeliest (Wilson, for positions that hang together by sequence).",
        summary_table,
    ),
    Table(
        "misreading", "The highest raw logits at the ends of the prompts, and what they are worth.", misreading_table
    ),
)
