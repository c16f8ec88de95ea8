"""Tables of one comparison, from its stored files."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.glitch.detectors import roster
from harness.measure.exposures import range_words
from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.words import spaced
from harness.runs.results.stored_run import StoredRun

COLUMNS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc": "ROC area",
    "asked_recall_at_10pct": "found by asking 10 %",
    "recall_auc": "recall area",
    "queries_fraction": "queries and passes",
    "tokens_processed": "token positions",
}
TRUTHS = {
    "census": "fails the census",
    "exposures_le_0": "never shown",
    "exposures_le_4": "shown 4 times or less",
    "exposures_le_64": "shown 64 times or less",
}


def names(run: StoredRun) -> list[str]:
    """The detectors that were run, in their order."""
    return [str(name) for name in run.details.get("detectors", [])]


def is_ours(name: str) -> bool:
    """Whether a detector is one of our own."""
    return any(kind.is_ours for kind in roster.DETECTORS if kind.name == name)


def truths(run: StoredRun) -> dict[str, str]:
    """The ground truths this run has, with their words."""
    return {key: words for key, words in TRUTHS.items() if any(name.endswith(f"/roc/{key}") for name in run.arrays)}


def detectors_table(run: StoredRun) -> pd.DataFrame:
    """Every detector against the census."""
    rows = []
    for name in names(run):
        row: dict[str, Any] = {"detector": name, "seeds": run.details.get("n_seeds")}
        for key, column in COLUMNS.items():
            row |= interval_columns(column, run.interval(f"{name}/{key}"))
        rows.append(row)
    return pd.DataFrame(rows)


def exposures_table(run: StoredRun) -> pd.DataFrame | None:
    """Detectors and indicators against how often training showed a token."""
    labels = {key: words for key, words in truths(run).items() if key != "census"}
    if not labels:
        return None
    rows = []
    for key, words in labels.items():
        for name in names(run):
            row: dict[str, Any] = {"truth": words, "what": name}
            for column in ("precision", "recall", "roc_auc"):
                row |= interval_columns(COLUMNS[column], run.interval(f"{name}/{key}/{column}"))
            rows.append(row)
        for name in run.details.get("indicators", []):
            row = {"truth": words, "what": f"indicator {name}"}
            for column in ("precision", "recall", "roc_auc"):
                row[COLUMNS[column]] = run.metrics.get(f"indicator/{name}/{key}/{column}")
            rows.append(row)
    return pd.DataFrame(rows)


def indicators_table(run: StoredRun) -> pd.DataFrame | None:
    """Weight indicators by themselves against the census."""
    if not run.metrics.get("census/tested"):
        return None
    rows = [
        {
            "indicator": name,
            "ROC area": run.metrics.get(f"indicator/{name}/roc_auc"),
            "precision of the lowest 2 %": run.metrics.get(f"indicator/{name}/precision"),
            "recall of the lowest 2 %": run.metrics.get(f"indicator/{name}/recall"),
        }
        for name in run.details.get("indicators", [])
    ]
    return pd.DataFrame(rows)


def glitch_key(bucket: Mapping[str, Any]) -> str:
    """The metric that holds P(glitch) of a range of exposures."""
    return f"p_glitch/exposures_{bucket['low']}_{bucket['high'] or ''}"


def calibration_table(run: StoredRun) -> pd.DataFrame:
    """P(glitch | exposures)."""
    rows = [
        {
            "times shown": range_words(bucket["low"], bucket["high"]),
            "tokens": bucket["n"],
            "glitch tokens": bucket["glitch"],
            **interval_columns("share", run.interval(glitch_key(bucket))),
        }
        for bucket in run.details.get("by_exposures", [])
    ]
    return pd.DataFrame(rows)


def mistakes_table(run: StoredRun) -> pd.DataFrame:
    """Some tokens that our own detectors got wrong."""
    rows = [
        {"mistake": spaced(kind), "id": item["id"], "token": item["token"], "exposures": item["exposures"]}
        for name, mistakes in run.details.get("mistakes", {}).items()
        if is_ours(name)
        for kind, items in mistakes.items()
        for item in items
    ]
    frame = pd.DataFrame(rows)
    if len(frame) and frame["exposures"].isna().all():
        frame = frame.drop(columns="exposures")
    return frame


_OURS = " and ".join(kind.name for kind in roster.DETECTORS if kind.is_ours)
_FIXED = " and ".join(kind.name for kind in roster.DETECTORS if not kind.is_random)
_REMARKS = "".join(f"; {kind.remark}" for kind in roster.DETECTORS if kind.remark)

TABLES = (
    Table(
        "detectors",
        "Every detector against the census with the same budget (means over seeds, 95 % Student t intervals). Recall "
        "area: under recall against queries up to the budget, over that of a detector that asks glitch tokens only. "
        "Queries and passes: as a share of what the whole census costs. "
        f"{_FIXED} draw nothing at random, so their seeds agree{_REMARKS}.",
        detectors_table,
    ),
    Table(
        "exposures",
        "Detectors and weight indicators against how often training showed a token (detectors: means over seeds with "
        "95 % intervals; indicators: precision and recall of their lowest 2 %).",
        exposures_table,
    ),
    Table("indicators", "Weight indicators by themselves against the census.", indicators_table),
    Table("calibration", "P(glitch | exposures), 95 % Wilson intervals.", calibration_table),
    Table("mistakes", f"Some tokens that {_OURS} got wrong (first seed).", mistakes_table),
)
