"""Tables of one echo_token run, from its stored files."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun

SETTINGS = {
    "greedy": "greedy",
    "sampled": "sampled",
    "article_greedy": "greedy, article's ban (artefact)",
    "article_sampled": "sampled, article's ban (artefact)",
}
_ROWS = 200


def settings(run: StoredRun) -> list[str]:
    """The settings of this run."""
    return [name for name in SETTINGS if name in run.details.get("settings", [])]


def success_key(pool: str, setting: str) -> str:
    """The metric that holds the share of exact echoes."""
    return f"{pool}/{setting}/success"


def success_table(run: StoredRun) -> pd.DataFrame:
    """Success rates with intervals."""
    rows = []
    for setting in settings(run):
        for pool in pools_shown(run):
            found = run.interval(success_key(pool, setting))
            if found[0] is None:
                continue
            rows.append(
                {
                    "setting": SETTINGS[setting],
                    "pool": pool,
                    "tokens": run.metrics.get(f"{pool}/n_tokens"),
                    "answers each": run.details["n_seeds"] if "sampled" in setting else 1,
                    **interval_columns("exact echoes", found),
                }
            )
    return pd.DataFrame(rows)


def tokens_table(run: StoredRun) -> pd.DataFrame:
    """Every token, its successes, and what was answered instead."""
    rows = []
    for record in run.records.head(_ROWS).to_dict("records"):
        row: dict[str, Any] = {"pool": record["pool"], "id": record["id"], "token": record["token"]}
        for setting in settings(run):
            row[SETTINGS[setting]] = f"{record[f'{setting}/successes']}/{record[f'{setting}/trials']}"
        row["greedy: said instead"] = said_instead(record["greedy/instead"])
        row["sampled: said instead"] = said_instead(record["sampled/instead"])
        rows.append(row)
    return pd.DataFrame(rows)


def said_instead(found: Sequence[Sequence[Any]]) -> str:
    """Other answers, each with how often it was given."""
    return "  ".join(f"{str(text)[:24] or '(nothing)'} ×{count}" for text, count in found)


TABLES = (
    Table("success", "Share of exact echoes with 95 % intervals.", success_table),
    Table("tokens", "Exact echoes of each token, and the most frequent other answers.", tokens_table),
)
