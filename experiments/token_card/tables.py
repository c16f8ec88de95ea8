"""Tables of one token_card run, from its stored files."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.words import CATEGORIES, INDICATORS, spaced, yes_no
from harness.runs.results.stored_run import StoredRun

NUMBERS = {
    "cosine": INDICATORS["cosine"],
    "centred_cosine": "the same, centred",
    "cosine_without_first_pc": "the same, without 1st PC",
    "l2": INDICATORS["l2"],
    "norm_output": "length of the output row",
    "norm_input": INDICATORS["input_norm"],
}
PROMPTS = {
    "magikarp_input_output": "repeat the input",
    "magikarp_explain": "explain a phrase",
    "magikarp_repeats": "go on repeating",
}
KINDS = {
    **CATEGORIES,
    "ok": "ordinary: its text encodes to it",
    "unreachable_one": "unreachable: its text encodes to another token",
    "unreachable_several": "unreachable: its text encodes to several tokens",
}
_LETTERS = 60


def card_table(run: StoredRun) -> pd.DataFrame:
    """What it is."""
    card, details = run.details["card"], run.details
    rows: dict[str, Any] = {
        "id": card["id"],
        "text": card["token"],
        "bytes": card["bytes"] or "not known from its text",
        "kind": KINDS[card["category"]] + (f" ({card['byte_type']})" if card["byte_type"] else ""),
        "type": card["type"].replace("_", "-"),
        "text leads to it": yes_no(card["is_reachable"]),
        "its text encodes to": _names(details["encodes_to"]),
        "made by merge": f"{card['merge_rank']:,} of {card['n_merges']:,}" if card["merge_rank"] else "none",
        "made of": _names(details["made_of"]) or "nothing smaller",
        "merged further into": _names(details["part_of"]) or "nothing",
        "longer tokens that hold it": f"{card['n_superstrings']:,}",
        **{f"shown in training ({name})": f"{count:,}" for name, count in card["exposures"].items()},
    }
    if not card["exposures"]:
        rows["shown in training"] = "not known: nobody counted"
    kept = {name: str(value) for name, value in rows.items() if value != ""}
    return pd.DataFrame({"": list(kept), "is": list(kept.values())})


def _names(rows: Sequence[dict[str, Any]]) -> str:
    return "   ".join(f"{row['token']} ({row['id']})" for row in rows)


def indicators_table(run: StoredRun) -> pd.DataFrame:
    """Every number from the weights, and its rank."""
    return pd.DataFrame(
        [
            {
                "": NUMBERS[row["name"]] + (" (main)" if row["is_main"] else ""),
                "value": row["value"],
                "median of all": row["median"],
                "rank": row["rank"],
                "of": row["n"],
                "lower than": 1 - (row["rank"] + row["same"] - 1) / row["n"],
            }
            for row in run.details["indicators"]
        ]
    )


def neighbours_table(run: StoredRun) -> pd.DataFrame:
    """The rows most like it."""
    rows = [
        {"matrix": matrix, "id": row["id"], "token": row["token"], "cosine": row["similarity"]}
        for matrix, found in run.details["neighbours"].items()
        for row in found
    ]
    return pd.DataFrame(rows)


def verification_table(run: StoredRun) -> pd.DataFrame:
    """Magikarp's prompts."""
    rows = []
    for row in run.details["verification"]:
        known = f"{row['known_said']} of {row['known_n']}" if row.get("known_n") else "none to try"
        rows.append(
            {
                "prompt": PROMPTS[row["prompt"]],
                "largest probability": row["max_prob"],
                "said": str(row["said"])[:_LETTERS] if row["fits"] else "(does not fit the window)",
                "under-trained by it": "" if row["verified"] is None else yes_no(row["verified"]),
                "well-known tokens said": known if row["fits"] else "",
            }
        )
    return pd.DataFrame(rows)


def census_table(run: StoredRun) -> pd.DataFrame:
    """Every wording."""
    return pd.DataFrame(
        [
            {
                "wording": row["wording"],
                "family": row["family"],
                "passed": "can't be asked" if row["passed"] is None else yes_no(row["passed"]),
                "said": "" if row["answer"] is None else str(row["answer"])[:_LETTERS],
                "margin (logits)": row["margin"],
                "symptom": spaced(row["symptom"]),
                "counts": "yes" if row["informative"] else "no: uninformative",
                "well-known tokens passed": f"{row['known_passed']} of {row['known_n']}",
            }
            for row in run.details["census"]
        ]
    )


def superstrings_table(run: StoredRun) -> pd.DataFrame:
    """Longer tokens that hold it."""
    return pd.DataFrame(run.details["superstrings"])


def context_table(run: StoredRun) -> pd.DataFrame | None:
    """Its logit and its probability after well-known tokens: a raw logit alone is no probability."""
    if run.metrics.get("context/logit") is None:
        return None
    rows = [
        {
            "behind well-known tokens": words,
            **interval_columns("mean", run.interval(key)),
            "n": len(run.arrays["context/ids"]),
        }
        for key, words in (("context/logit", "raw logit"), ("context/logprob", "log-probability (nats)"))
    ]
    return pd.DataFrame(rows)


def next_table(run: StoredRun) -> pd.DataFrame:
    """What comes after it."""
    return pd.DataFrame(run.details["next"]).rename(columns={"prob": "probability"})


TABLES = (
    Table("card", "What it is.", card_table),
    Table("indicators", "Numbers from the weights; low means under-trained, rank 1 is the lowest.", indicators_table),
    Table("verification", "Asked for with Magikarp's prompts.", verification_table),
    Table("census", "Its answers in every wording of the census.", census_table),
    Table("neighbours", "Rows most like its own (cosine).", neighbours_table),
    Table(
        "context",
        "The token behind well-known tokens, one at a time: raw logit and log-probability (means over contexts, 95 % "
        "Student t intervals).",
        context_table,
    ),
    Table("next", "What the model expects behind the token alone.", next_table),
    Table("superstrings", "Longer tokens whose text holds it.", superstrings_table),
)
