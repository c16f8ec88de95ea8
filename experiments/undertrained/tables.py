"""Tables of one undertrained run, from its stored files."""

from typing import Any

import pandas as pd

from harness.measure.exposures import range_words
from harness.reporting.display import Table
from harness.reporting.words import CATEGORIES, yes_no
from harness.runs.results.stored_run import StoredRun

_LOW = {
    "bytes": CATEGORIES["byte"],
    "utf8_fragments": CATEGORIES["utf8_fragment"],
    "unreachable": CATEGORIES["unreachable_one"],
    "special": CATEGORIES["special"],
    "without_token": CATEGORIES["no_token"],
}


def verified_table(run: StoredRun) -> pd.DataFrame | None:
    """Every verified token: what it is, how low, how unlikely, and in which longer tokens it is swallowed."""
    records = run.records
    if not len(records) or not records["verified"].any():
        return None

    found = records[records["verified"]]
    table: dict[str, Any] = {
        "id": found["id"],
        "token": found["token"],
        "category": found["category"],
        "indicator": found[f"indicator/{run.details['main_indicator']}"],
        "max prob": found["max_prob"],
        "class": found["class"].str.replace("_", " "),
        "in other tokens": ["  ".join(others) for others in found["in_other_tokens"]],
    }
    if found["exposures"].notna().any():
        table["exposures"] = found["exposures"].astype("Int64")
    return pd.DataFrame(table)


def reference_table(run: StoredRun) -> pd.DataFrame | None:
    """The ids taken to be unused: which are special, and what changes when one is left out."""
    unused = run.details["unused"]
    if not unused["ids"]:
        return None
    check = unused.get("check") or {"left_out": []}
    left_out = {i: item for item in check["left_out"] for i in item["ids"]}
    tokens = unused.get("tokens", [""] * len(unused["ids"]))
    return pd.DataFrame(
        [
            {
                "id": i,
                "token": token,
                "special": yes_no(i in unused.get("special_ids", ())),
                "ids that coincide": len(left_out[i]["ids"]) if i in left_out else None,
                "ordinary tokens below, left out": left_out[i]["share_below"] if i in left_out else None,
                "rank correlation, left out": left_out[i]["rank_correlation"] if i in left_out else None,
            }
            for i, token in zip(unused["ids"], tokens, strict=True)
        ]
    )


def low_table(run: StoredRun) -> pd.DataFrame:
    """Tokens that no text can ask for and whose rows are as low as those of half the verified ones."""
    rows = [
        {"kind": _LOW[name], "id": row["id"], "token": row["token"], "indicator": row["indicator"]}
        for name, low in run.details["low"].items()
        for row in low
        if row["below"]
    ]
    return pd.DataFrame(rows)


def exposures_table(run: StoredRun) -> pd.DataFrame:
    """How many tokens of each range of training counts become candidates and are verified."""
    return pd.DataFrame(
        [
            {
                "times shown": range_words(row["low"], row["high"]),
                **{name: row[name] for name in ("tokens", "candidates", "verified")},
            }
            for row in run.details.get("by_exposures") or []
        ]
    )


_COMPARED = {
    "indicator mean": ("indicator_mean", "indicator_mean"),
    "indicator std": ("indicator_std", "indicator_std"),
    "threshold of candidates": ("verification_threshold", "verification_threshold"),
    "candidates": ("candidates", "candidates_tested"),
    "ordinary candidates": ("candidates_ordinary", "candidates_non_special"),
    "verified": ("verified", "verified_count"),
    "soft threshold": ("soft_threshold", "soft_threshold"),
    "below soft threshold": ("below_soft_threshold", "below_soft_threshold"),
    "median verified threshold": ("median_verified_threshold", "median_verified_threshold"),
    "bytes below it": ("bytes_below_median_verified", "single_byte_below"),
}


def published_figures_table(run: StoredRun) -> pd.DataFrame | None:
    """The published figures of a GPT-2 size beside the measured ones."""
    published = run.details.get("published")
    if not published:
        return None

    return pd.DataFrame(
        [
            {"figure": words, "measured": run.metrics.get(ours), "published": published.get(theirs)}
            for words, (ours, theirs) in _COMPARED.items()
        ]
    )


def published_tokens_table(run: StoredRun) -> pd.DataFrame | None:
    """Every token verified there or here, with both probabilities."""
    published = run.details.get("published")
    if not published:
        return None

    records = run.records.set_index("id")
    theirs = {int(token): value for token, value in published["verified"].items()}
    ordinary = records[records["category"] == "ok"]
    rows = []
    for token in sorted({*theirs, *ordinary.index[ordinary["verified"]]}):
        here = records.loc[token] if token in records.index else None
        rows.append(
            {
                "id": token,
                "token": here["token"] if here is not None else "",
                "measured max prob": float(here["max_prob"]) if here is not None else None,
                "published max prob": theirs.get(token),
                "verified here": "no candidate" if here is None else yes_no(here["verified"]),
                "verified there": "yes" if token in theirs else "not listed",
            }
        )
    return pd.DataFrame(rows)


TABLES = (
    Table("verified", "Verified under-trained tokens, the most suspicious first.", verified_table),
    Table(
        "reference",
        "Ids taken to be unused. Left out, with those whose rows coincide: the share of ordinary tokens whose "
        "indicator is lower than theirs (0: they are still the lowest), and how alike the ranking stays (Spearman).",
        reference_table,
    ),
    Table("published", "Published figures beside the measured ones.", published_figures_table),
    Table("published_tokens", "Tokens verified here or in the published report.", published_tokens_table),
    Table(
        "low",
        "Tokens no text can ask for, with an indicator as low as that of half of the verified tokens.",
        low_table,
    ),
    Table("exposures", "Candidates and verified tokens by how often training showed them.", exposures_table),
)
