"""Tables and headline numbers of one comparison, from its stored files."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.measure.formatting import number, with_interval
from harness.reporting.display import Table
from harness.reporting.figures.tables import HIGH, LOW
from harness.runs.results.headline import HeadlineRow
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


def truths(run: StoredRun) -> dict[str, str]:
    """The ground truths this run has, with their words."""
    return {key: words for key, words in TRUTHS.items() if any(name.endswith(f"/roc/{key}") for name in run.arrays)}


def detectors_table(run: StoredRun) -> pd.DataFrame | None:
    """Every detector against the census."""

    rows = []
    for name in names(run):
        row: dict[str, Any] = {"detector": name, "seeds": run.details.get("n_seeds")}
        for key, column in COLUMNS.items():
            for end, suffix in (("", ""), (LOW, "/ci_low"), (HIGH, "/ci_high")):
                row[f"{column}{end}"] = run.metrics.get(f"{name}/{key}{suffix}")
        rows.append(row)
    return pd.DataFrame(rows) if rows else None


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
                for end, suffix in (("", ""), (LOW, "/ci_low"), (HIGH, "/ci_high")):
                    row[f"{COLUMNS[column]}{end}"] = run.metrics.get(f"{name}/{key}/{column}{suffix}")
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
    return pd.DataFrame(rows) if rows else None


def calibration_table(run: StoredRun) -> pd.DataFrame | None:
    """P(glitch | exposures)."""

    rows = []
    for bucket in run.details.get("by_exposures", []):
        low, high = bucket["low"], bucket["high"]
        key = f"p_glitch/exposures_{low}_{high or ''}"
        last = None if high is None else high - 1
        rows.append(
            {
                "times shown": f"{low} and more" if last is None else str(low) if last == low else f"{low} to {last}",
                "tokens": bucket["n"],
                "glitch tokens": bucket["glitch"],
                "share": run.metrics.get(key),
                f"share{LOW}": run.metrics.get(f"{key}/ci_low"),
                f"share{HIGH}": run.metrics.get(f"{key}/ci_high"),
            }
        )
    return pd.DataFrame(rows) if rows else None


def mistakes_table(run: StoredRun) -> pd.DataFrame | None:
    """Some tokens that our own detector got wrong."""

    rows = [
        {"mistake": kind.replace("_", " "), "id": item["id"], "token": item["token"], "exposures": item["exposures"]}
        for kind, items in run.details.get("mistakes", {}).get("active_census", {}).items()
        for item in items
    ]
    frame = pd.DataFrame(rows)
    if len(frame) and frame["exposures"].isna().all():
        frame = frame.drop(columns="exposures")
    return frame if rows else None


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The census first, then every detector by F1."""

    metrics = run.metrics
    if not metrics.get("census/tested"):
        return [HeadlineRow("census", {"verdict": "uninformative: no task is within this model's reach"})]

    def cell(name: str, key: str) -> str:
        value = metrics.get(f"{name}/{key}")
        low, high = (metrics.get(f"{name}/{key}/ci_{end}") for end in ("low", "high"))
        return with_interval(value, low, high, 2) if value is not None else "not defined"

    def row(name: str) -> HeadlineRow:
        values = {
            "F1": cell(name, "f1"),
            "precision": number(metrics.get(f"{name}/precision"), 2) or "none reported",
            "recall": number(metrics.get(f"{name}/recall"), 2) or "not defined",
            "queries": number(metrics.get(f"{name}/queries_fraction"), 2),
        }
        return HeadlineRow(name, values)

    rate, low, high = (metrics.get(f"census/glitch_rate{end}") for end in ("", "/ci_low", "/ci_high"))
    glitch = f"{metrics.get('census/glitch_tokens')} of {metrics.get('census/tested')} fail"
    first = HeadlineRow("census", {"F1": f"{glitch}: {with_interval(rate, low, high, 2)}"})
    return [first, *map(row, sorted(names(run), key=lambda name: -(metrics.get(f"{name}/f1") or 0.0)))]


TABLES = (
    Table(
        "detectors",
        "Every detector against the census with the same budget (means over seeds, 95 % Student t intervals). Recall "
        "area: under recall against queries up to the budget, over that of a detector that asks glitch tokens only. "
        "Queries and passes: as a share of what the whole census costs. magikarp and glitchminer draw nothing at "
        "random, so their seeds agree; a hunt of glitchhunter ends where the budget does.",
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
    Table("mistakes", "Some tokens that active_census got wrong (first seed).", mistakes_table),
)
