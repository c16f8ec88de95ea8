"""Tables of a census by agreement, from its stored files."""

from typing import Any

import pandas as pd

from experiments.census.published_tables import SYMPTOMS, TYPES
from harness.glitch.census.groups import GROUPS
from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.words import yes_no
from harness.runs.results.stored_run import StoredRun
from harness.tokens.kinds import LABELS

_SHOWN_ANSWER = 60
_MOST_LISTED = 500
_VERDICTS = {"glitch": "glitch token", "undecided": "undecided"}


def asked_wordings(run: StoredRun) -> list[str]:
    """The wordings tried, in order: asked in words, echoed, copied."""
    return list(run.details["wordings"])


def wordings_table(run: StoredRun) -> pd.DataFrame:
    """Every wording: what it does on tokens the model knows, and how many of its failures are its own doing."""
    rows = []
    for name in asked_wordings(run):
        key, tried = f"wording/{name}", run.details["calibration"][name]
        rows.append(
            {
                "wording": name,
                "family": run.details["families"][name],
                "well-known tokens tried": tried["n"],
                **interval_columns("passed there", run.interval(f"{key}/calibration_pass_rate")),
                "counts": yes_no(bool(run.metrics[f"{key}/counts"])),
                "asked of the sample": run.metrics.get(f"{key}/asked"),
                "failed": run.metrics.get(f"{key}/failed"),
                "of these pass another that counts": run.metrics.get(f"{key}/artefact_tokens"),
                **interval_columns("share of failures that are the wording's", run.interval(f"{key}/artefact")),
                "can't be asked of": run.metrics[f"{key}/not_askable"],
                "positions a token": run.metrics[f"{key}/positions_per_token"],
            }
        )
    return pd.DataFrame(rows)


def verdicts_table(run: StoredRun) -> pd.DataFrame | None:
    """How many tokens got which verdict."""
    if not run.metrics["tested"]:
        return None
    counts = {
        "glitch tokens": ("glitch_tokens", "glitch_rate"),
        "undecided (one family of wordings)": ("undecided_tokens", "undecided_rate"),
        "no glitch tokens": ("not_glitch_tokens", None),
        "no verdict (no wording that counts can be asked)": ("no_verdict_tokens", None),
        "of the sample: pass some wordings, fail others": ("prompt_dependent", "prompt_dependent_share"),
    }
    rows = []
    for label, (count, share) in counts.items():
        interval = run.interval(share) if share is not None else (None, None, None)
        rows.append(
            {
                "tokens": label,
                "number": run.metrics.get(count),
                **interval_columns("share of all tokens", interval),
                "wordings that count": run.metrics["counting_wordings"],
                "families": run.metrics["counting_families"],
            }
        )
    return pd.DataFrame(rows)


def glitch_table(run: StoredRun) -> pd.DataFrame | None:
    """Glitch tokens and undecided ones: what they are, how many wordings they fail, and what was said instead."""
    records = run.records
    if not len(records):
        return None
    failed = records[records["verdict"].isin(_VERDICTS)].sort_values(["verdict", "id"]).head(_MOST_LISTED)
    table: dict[str, Any] = {
        "id": failed["id"],
        "token": failed["token"],
        "verdict": failed["verdict"].map(_VERDICTS),
        "failed": failed["failed"],
        "of those that count": failed["counting"],
        "kind": failed["kind"].map({kind.value: label for kind, label in LABELS.items()}),
        "type": failed["type"].map(TYPES),
    }
    if failed["exposures"].notna().any():
        table["exposures"] = failed["exposures"].astype("Int64")
    table["symptom"] = failed["symptom"].map(SYMPTOMS)
    table["margin (logits)"] = failed["margin"]
    answered = [name for name in asked_wordings(run) if f"{name}/answer" in failed]
    table["said instead"] = [
        next((str(row[f"{name}/answer"])[:_SHOWN_ANSWER] for name in answered if _has(row, name)), "")
        for row in failed.to_dict("records")
    ]
    return pd.DataFrame(table)


def _has(row: dict[Any, Any], name: str) -> bool:
    answer = row[f"{name}/answer"]
    return isinstance(answer, str) and not row[f"{name}/passed"]


def wording_failures_table(run: StoredRun) -> pd.DataFrame | None:
    """Tokens of the sample that fail most wordings that count and are no glitch tokens: what a census in one of those
    wordings would call them."""
    records = run.records
    if not len(records):
        return None
    depends = records[records["prompt_dependent"] == True]  # noqa: E712  (null is neither)
    depends = depends.sort_values(["failed", "id"], ascending=[False, True]).head(_MOST_LISTED)
    names = [name for name in asked_wordings(run) if run.metrics[f"wording/{name}/counts"]]
    table: dict[str, Any] = {
        "id": depends["id"],
        "token": depends["token"],
        "failed": depends["failed"],
        "of": depends["asked"],
        "passes": [
            ", ".join(name for name in names if row[f"{name}/passed"] == True)  # noqa: E712
            for row in depends.to_dict("records")
        ],
    }
    return pd.DataFrame(table)


def groups_table(run: StoredRun) -> pd.DataFrame:
    """Pass rates by look of the token: of well-known ones, and of those of the sample that pass another wording."""
    rows = []
    by_group = {(row["wording"], row["group"]): row for row in run.details["groups"]}
    for name in asked_wordings(run):
        for group in GROUPS:
            row = by_group[name, group]
            rows.append(
                {
                    "wording": name,
                    "tokens": group,
                    "well-known": row["known_n"],
                    "pass": row["known_passed"],
                    "in the sample, pass another wording": row["sayable_n"],
                    "pass this one": row["sayable_passed"],
                }
            )
    return pd.DataFrame(rows)


def agreement_table(run: StoredRun) -> pd.DataFrame | None:
    """How many tokens of the sample fail the wording of the row and pass that of the column."""
    if "artefacts" not in run.arrays:
        return None
    names = asked_wordings(run)
    columns = {"fails": names} | {
        f"passes {name}": run.arrays["artefacts"][:, number] for number, name in enumerate(names)
    }
    return pd.DataFrame(columns)


def examples_table(run: StoredRun) -> pd.DataFrame:
    """Answers for a few well-known tokens: whether the model understands the question at all."""
    rows = [
        {
            "wording": name,
            "token": example["token"],
            "said": "" if example["answer"] is None else str(example["answer"])[:_SHOWN_ANSWER],
            "right": yes_no(example["passed"]),
        }
        for name in asked_wordings(run)
        for example in run.details["calibration"][name]["examples"]
    ]
    return pd.DataFrame(rows)


AGREEMENT_TABLES = (
    Table("verdicts", "Verdicts, with the number of wordings they rest on (95 % intervals).", verdicts_table),
    Table(
        "wordings",
        "The wordings: how many well-known tokens pass (0.9 needed to count), how many of the sample fail, and which "
        "share of these failures another wording that counts does not confirm (95 % Wilson intervals).",
        wordings_table,
    ),
    Table("glitch_tokens", "Tokens that fail every wording that counts.", glitch_table),
    Table(
        "by_the_wording",
        "Tokens of the sample that fail some wordings that count and pass others, those that fail most first.",
        wording_failures_table,
    ),
    Table("agreement", "Tokens of the sample that fail one wording and pass another.", agreement_table),
    Table("groups", "Wordings by look of the token.", groups_table),
    Table("examples", "What was said about some well-known tokens.", examples_table),
)
