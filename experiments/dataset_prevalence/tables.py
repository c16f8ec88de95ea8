"""Tables of one dataset_prevalence run, from its stored files."""

import pandas as pd

from harness.measure.intervals import wilson
from harness.reporting.display import Table
from harness.reporting.figures.tables import HIGH, LOW, interval_columns
from harness.runs.results.stored_run import StoredRun


def shares_table(run: StoredRun) -> pd.DataFrame:
    """Both shares with their intervals."""
    names = {
        "tokens": ("token_share", "glitch_token_occurrences", run.metrics.get("tokens")),
        "documents": ("document_share", "documents_with_glitch_tokens", documents_with_text(run)),
    }
    rows = [
        {
            "of all": words,
            "glitch": run.metrics.get(hits),
            "n": n,
            **interval_columns("share", run.interval(name)),
        }
        for words, (name, hits, n) in names.items()
    ]
    return pd.DataFrame(rows)


def documents_with_text(run: StoredRun) -> int:
    """Documents that a share of documents is of."""
    return int(run.metrics.get("documents") or 0) - int(run.metrics.get("empty_documents") or 0)


def tokens_table(run: StoredRun) -> pd.DataFrame | None:
    """Every glitch token that occurs."""
    records = run.records
    if not len(records):
        return None
    n = documents_with_text(run)
    shares = [wilson(int(found), n) for found in records["documents"]]
    return pd.DataFrame(
        {
            "id": records["id"],
            "token": records["token"],
            "occurrences": records["tokens"],
            "per million tokens": records["per_million"],
            "documents": records["documents"],
            "share of documents": [share.mean for share in shares],
            f"share of documents{LOW}": [share.low for share in shares],
            f"share of documents{HIGH}": [share.high for share in shares],
            "first in document": records["first_in"],
        }
    )


def data_table(run: StoredRun) -> pd.DataFrame | None:
    """What was read."""
    data = run.details.get("data")
    if not data:
        return None
    layouts = ", ".join(f"{name} ({n:,})" for name, n in data["layouts"].items())
    rows = {
        "data set": data["name"],
        "format": data["format"],
        "layouts (documents)": layouts or "none",
        "glitch tokens from": run.details["glitch_tokens"]["source"],
        "fingerprint": data["fingerprint"],
    }
    return pd.DataFrame({"": list(rows), "is": list(rows.values())})


TABLES = (
    Table(
        "shares",
        "Share of glitch tokens, with 95 % intervals: of tokens (clustered by document) and of documents with any text "
        "(Wilson).",
        shares_table,
    ),
    Table("tokens", "Glitch tokens in the data set, the most frequent first (95 % Wilson intervals).", tokens_table),
    Table("data", "What was read.", data_table),
)
