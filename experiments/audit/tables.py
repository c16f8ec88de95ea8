"""Tables of one run of exp=audit, from its stored files."""

from typing import Any

import pandas as pd

from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.words import CATEGORIES, CATEGORY_COUNTS, spaced, yes_no
from harness.runs.results.stored_run import StoredRun

_SHORT = {
    "glitch": "glitch",
    "undertrained": "under-trained",
    "untrained_row": "untrained row",
    "unreachable": "unreachable",
    "no_token": CATEGORIES["no_token"],
}


def summary_table(run: StoredRun) -> pd.DataFrame:
    """The numbers a release is judged by."""
    metrics = run.metrics
    rows: list[dict[str, Any]] = [
        {"": words, "tokens": metrics.get(name)}
        for name, words in (
            ("ids", "ids in the vocabulary"),
            *CATEGORY_COUNTS.items(),
            ("candidates", "candidates by their weights"),
            ("verified", "verified under-trained"),
            ("tested", "tested by the census"),
        )
    ]
    for name, words, count in (
        ("glitch_rate", "glitch tokens, of all tested", metrics.get("glitch_tokens")),
        ("undecided_rate", "undecided: fail all wordings, of one family", metrics.get("undecided_tokens")),
        ("glitch_rate_reachable", "glitch tokens that text leads to, of all such tested", reachable_glitches(run)),
    ):
        rows.append({"": words, "tokens": count, **interval_columns("share", run.interval(name))})
    table = pd.DataFrame(rows)
    table["tokens"] = table["tokens"].astype("Int64")
    return table


def reachable_glitches(run: StoredRun) -> int | None:
    """Glitch tokens that text leads to; None where nothing was tested."""
    records = run.records
    if run.metrics.get("glitch_rate_reachable") is None:
        return None
    return int(((records["glitch"] == True) & records["is_reachable"]).sum())  # noqa: E712


def tokens_table(run: StoredRun) -> pd.DataFrame | None:
    """Every listed token with its reasons: what text leads to first, then by how suspicious the weights are."""
    records = run.records
    listed = records[[bool(reasons) for reasons in records["reasons"]]]
    if listed.empty:
        return None
    order = pd.DataFrame(
        {
            "passes": listed["glitch"] != True,  # noqa: E712
            "unreachable": ~listed["is_reachable"].astype(bool),
            "unverified": listed["verified"] != True,  # noqa: E712
            "rank": listed["indicator_rank"],
        }
    ).sort_values(["passes", "unreachable", "unverified", "rank"])
    listed = listed.loc[order.index]
    table: dict[str, Any] = {
        "id": listed["id"],
        "token": listed["token"],
        "reasons": [", ".join(_SHORT[name] for name in reasons) for reasons in listed["reasons"]],
        "kind": listed["category"].map(CATEGORIES),
        "fails": [_failed(run, row) for row in listed.to_dict("records")],
        "symptom": [spaced(value) for value in listed["symptom"]],
        "indicator": listed["indicator"],
        "rank": listed["indicator_rank"],
        "max prob": listed["max_prob"].astype(float),
    }
    if listed["exposures"].notna().any():
        table["exposures"] = listed["exposures"].astype("Int64")
    if listed["change"].notna().any():
        table["change"] = [spaced(value) for value in listed["change"]]
    return pd.DataFrame(table)


def _failed(run: StoredRun, row: dict[Any, Any]) -> str:
    """The wordings that count and that it fails; all of them where it is a glitch token."""
    if row["glitch"] == True:  # noqa: E712  (a null is not)
        return f"all {int(row['failed'])} that count"
    # `is False` alone misses numpy's own False.
    names = run.details["informative"]
    return ", ".join(name for name in names if row[f"{name}/passed"] == False)  # noqa: E712


def changes_table(run: StoredRun) -> pd.DataFrame | None:
    """Tokens whose verdict is another one now."""
    records = run.records
    changed = records[records["change"].notna()]
    if changed.empty:
        return None
    return pd.DataFrame(
        {
            "id": changed["id"],
            "token": changed["token"],
            "change": changed["change"].map({"became_glitch": "became a glitch token", "repaired": "repaired"}),
            "fails now": [_failed(run, row) for row in changed.to_dict("records")],
            "kind": changed["category"].map(CATEGORIES),
            "indicator": changed["indicator"],
        }
    ).sort_values(["change", "id"])


def revisions_table(run: StoredRun) -> pd.DataFrame | None:
    """Both shares and their difference."""
    compared, metrics = run.details.get("compared"), run.metrics
    if not compared or not metrics.get("compare/tokens"):
        return None
    rows = []
    for name, words in (
        ("glitch_rate_there", f"share in {compared['name']}"),
        ("glitch_rate_here", "share in this revision"),
        ("difference", "difference (this one minus the other)"),
    ):
        value = interval_columns("value", run.interval(f"compare/{name}"))
        rows.append({"": words, "tokens": metrics["compare/tokens"], **value})
    return pd.DataFrame(rows)


def wordings_table(run: StoredRun) -> pd.DataFrame:
    """What the census' verdicts rest on."""
    sentences = run.details["calibration"]
    informative = run.details["informative"]
    return pd.DataFrame(
        [{"wording": name, "counts": yes_no(name in informative), "why": text} for name, text in sentences.items()]
    )


TABLES = (
    Table("summary", "The vocabulary and its glitch tokens (95 % Wilson intervals).", summary_table),
    Table(
        "revisions",
        "Glitch tokens of two revisions, on tokens that both decided: shares with Wilson intervals, their "
        "difference with Newcombe's interval for paired proportions (95 %).",
        revisions_table,
    ),
    Table(
        "tokens", "Every token with a reason to look at it; those that fail and that text leads to first.", tokens_table
    ),
    Table("changes", "Tokens whose verdict changed against the other revision.", changes_table),
    Table("wordings", "What the census' verdicts rest on.", wordings_table),
)
