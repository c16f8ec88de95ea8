"""Tables of one glitchhunter run, from its stored files."""

import pandas as pd

from harness.reporting.display import Table
from harness.runs.results.stored_run import StoredRun

_COUNTS = ("tokens", "k", "communities", "kept", "tokens kept")


def iterations_table(run: StoredRun) -> pd.DataFrame | None:
    """Every iteration: tokens left, communities, kept, queries, hits."""
    iterations = run.details.get("iterations") or []
    if not iterations:
        return None
    rows = [
        {
            "iteration": str(row["number"]),
            "tokens": row["n_tokens"],
            "k": row["k"],
            "communities": row["n_communities"],
            "kept": row["n_kept"],
            "tokens kept": row["n_tokens_kept"],
            "queries": row["n_queries"],
            "hits": row["n_hits"],
            "modularity": row["modularity"],
        }
        for row in iterations
    ]
    rest = run.details["rest"]
    per_token = run.details["queries_per_token"]
    rows.append({"iteration": "rest", "queries": rest["n_asked"] * per_token, "hits": rest["n_hits"]})
    return pd.DataFrame(rows).astype(dict.fromkeys(_COUNTS, "Int64"))


def found_table(run: StoredRun) -> pd.DataFrame | None:
    """The tokens found, in the order they were found."""
    tokens = {int(token): text for token, text in (run.details.get("tokens") or {}).items()}
    if not tokens:
        return None
    place = {token: i for i, token in enumerate(run.arrays["ids"].tolist())}
    queried_at = {token: int(run.arrays["asked_at"][place[token]]) for token in tokens}
    ids = sorted(tokens, key=lambda token: queried_at[token])
    census = run.arrays.get("census")
    words = {1: "glitch token", 0: "passes", -1: "no verdict"}
    return pd.DataFrame(
        {
            "id": ids,
            "token": [tokens[token] for token in ids],
            "asked as number": [queried_at[token] + 1 for token in ids],
            "last graph": [int(run.arrays["last_iteration"][place[token]]) for token in ids],
            "census": ["" if census is None else words[int(census[place[token]])] for token in ids],
        }
    )


TABLES = (
    Table("iterations", "What every iteration left and cost.", iterations_table),
    Table("found", "The glitch tokens found, in the order they were found.", found_table),
)
