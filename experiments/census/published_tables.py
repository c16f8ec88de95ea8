"""Tables of a census by the published rule, and those of either rule, from stored files."""

from typing import Any

import pandas as pd

from harness.glitch.census.symptoms import Symptom
from harness.measure.exposures import range_words
from harness.measure.intervals import wilson
from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.words import spaced, yes_no
from harness.runs.results.stored_run import StoredRun

SYMPTOMS = {symptom.value: spaced(symptom.value) for symptom in Symptom}
TYPES = {
    "word": "word",
    "letter": "letter",
    "character": "character",
    "letter_character": "letter-character",
    "special": "special (non-ASCII)",
}
_SHOWN_ANSWER = 60


def tasks(run: StoredRun) -> list[str]:
    """The tasks of the census, in the order they were run."""
    order = ["repetition", "spelling", "length"]
    return sorted(run.details.get("questions", {}), key=lambda name: order.index(name) if name in order else len(order))


def tasks_table(run: StoredRun) -> pd.DataFrame:
    """Every task: what it was tried on, whether it counts, how many tokens pass."""
    rows = []
    for name in tasks(run):
        found, question = run.details["calibration"][name], run.details["questions"][name]
        rows.append(
            {
                "task": name,
                "prompt": question["version"],
                "tried on": found["where"],
                "tokens tried": found["n"],
                **interval_columns("passed there", run.interval(f"{name}/calibration_pass_rate")),
                "counts": "yes" if found["informative"] else "no: uninformative",
                "asked": run.metrics.get(f"{name}/asked"),
                **interval_columns("passed", run.interval(f"{name}/pass_rate")),
            }
        )
    return pd.DataFrame(rows)


def glitch_table(run: StoredRun) -> pd.DataFrame | None:
    """Every glitch token: what it is, how it fails, and what was answered instead."""
    records = run.records
    if not len(records) or not run.metrics.get("glitch_tokens"):
        return None

    failed = records[records["glitch"] == True]  # noqa: E712  (null is neither)
    table: dict[str, Any] = {"id": failed["id"], "token": failed["token"], "type": failed["type"].map(TYPES)}
    if failed["exposures"].notna().any():
        table["exposures"] = failed["exposures"].astype("Int64")
    table["symptom"] = failed["symptom"].map(SYMPTOMS)
    for name in tasks(run):
        if f"{name}/passed" in failed:
            table[f"{name}: said"] = [
                _instead(answer, passed)
                for answer, passed in zip(failed[f"{name}/answer"], failed[f"{name}/passed"], strict=True)
            ]
    return pd.DataFrame(table)


def _instead(answer: Any, passed: Any) -> str:
    if answer is None or answer != answer:
        return "(not asked)"
    return "(right)" if passed else str(answer)[:_SHOWN_ANSWER]


def exposures_table(run: StoredRun) -> pd.DataFrame:
    """P(glitch | exposures) with intervals."""
    built = []
    for row in run.details.get("by_exposures") or []:
        share = wilson(row["glitch"], row["n"])
        built.append(
            {
                "tokens": "planted" if row["planted"] else "natural",
                "times shown": range_words(row["low"], row["high"]),
                "n": row["n"],
                "glitch tokens": row["glitch"],
                **interval_columns("share", (share.mean, share.low, share.high)),
            }
        )
    return pd.DataFrame(built)


def examples_table(run: StoredRun) -> pd.DataFrame:
    """Answers for a few well-known tokens: whether the model understands the question at all."""
    rows = [
        {
            "task": name,
            "token": example["token"],
            "said": str(example["answer"])[:_SHOWN_ANSWER],
            "right": yes_no(example["passed"]),
        }
        for name in tasks(run)
        for example in run.details["calibration"][name]["examples"]
    ]
    return pd.DataFrame(rows)


PUBLISHED_TABLES = (
    Table("tasks", "The tasks, and whether they tell anything about this model (95 % Wilson intervals).", tasks_table),
    Table("glitch_tokens", "Glitch tokens, and what was said instead.", glitch_table),
    Table("examples", "What was said about some well-known tokens.", examples_table),
)
SHARED_TABLES = (
    Table("exposures", "Glitch tokens by how often training showed them (95 % Wilson intervals).", exposures_table),
)
