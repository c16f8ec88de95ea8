"""Tables of one comparison, from its stored files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from experiments.detectors.metrics import budget_key
from experiments.detectors.published import PUBLISHED
from harness.glitch.detectors import roster
from harness.measure.exposures import range_words
from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.reporting.words import spaced
from harness.runs.results.stored_run import StoredRun

PREDICTED = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "average_precision": "average precision",
    "unasked_precision": "precision of tokens not asked",
    "unasked_recall": "recall of tokens not asked",
    "promised": "promised precision of tokens not asked",
    "spent_share": "tokens processed",
}
CONFIRMED = {
    "asked": "asked",
    "confirmed": "confirmed",
    "confirmed_precision": "precision",
    "confirmed_recall": "recall",
    "positions_per_confirmed": "tokens processed per confirmed token",
    "spent_share": "tokens processed",
}
WHOLE = {
    "asked": "asked",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "spent_share": "tokens processed",
}


def names(run: StoredRun) -> list[str]:
    """The detectors that were run, in their order."""
    return [str(name) for name in run.details.get("detectors", [])]


def is_ours(name: str) -> bool:
    """Whether a detector is one of our own."""
    return any(kind.is_ours for kind in roster.DETECTORS if kind.name == name)


def kind_of(name: str) -> str:
    """Ours, published, or a control."""
    (found,) = [kind for kind in roster.DETECTORS if kind.name == name.split(":")[0]]
    return "ours" if found.is_ours else "published" if found.is_published else "control"


def budgets(run: StoredRun) -> list[float]:
    """Shares of asking every token once, ascending."""
    return [float(share) for share in run.details.get("budgets", [])]


def budget_words(share: float) -> str:
    """As in `2 %`."""
    return f"{100 * share:g} %"


def f1_table(run: StoredRun) -> pd.DataFrame:
    """F1 of what is predicted, a column for each budget."""
    rows = []
    for name in names(run):
        row: dict[str, Any] = {"detector": name, "kind": kind_of(name), "runs": run.details["n_seeds"].get(name)}
        for share in budgets(run):
            row |= interval_columns(budget_words(share), run.interval(f"{name}/{budget_key(share)}/f1"))
        rows.append(row)
    return pd.DataFrame(rows)


def _at_each_budget(run: StoredRun, columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "budget": budget_words(share),
            "detector": name,
            **_cells(run, f"{name}/{budget_key(share)}", columns),
        }
        for share in budgets(run)
        for name in names(run)
    )


def _cells(run: StoredRun, prefix: str, columns: Mapping[str, str]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for key, column in columns.items():
        cells |= interval_columns(column, run.interval(f"{prefix}/{key}"))
    return cells


def predicted_table(run: StoredRun) -> pd.DataFrame:
    """What each detector says of the whole vocabulary."""
    return _at_each_budget(run, PREDICTED)


def confirmed_table(run: StoredRun) -> pd.DataFrame:
    """What each detector asked and found to fail."""
    return _at_each_budget(run, CONFIRMED)


def lead_table(run: StoredRun) -> pd.DataFrame | None:
    """By how much ours are ahead of the best other detector."""
    ours = [name for name in names(run) if is_ours(name)]
    rows = list(_leads(run, ours))
    return pd.DataFrame(rows) if rows else None


def _leads(run: StoredRun, ours: Sequence[str]) -> Iterator[dict[str, Any]]:
    for share in budgets(run):
        best = run.metrics.get(f"best_other/{budget_key(share)}")
        if best is None:
            continue
        row: dict[str, Any] = {"budget": budget_words(share), "best other": best}
        row |= interval_columns("its F1", run.interval(f"best_other/{budget_key(share)}/f1"))
        for name in ours:
            row |= interval_columns(f"lead of {name}", run.interval(f"{name}/{budget_key(share)}/f1_lead"))
        yield row


def whole_table(run: StoredRun) -> pd.DataFrame | None:
    """Detectors run to their end, as their authors do, and GlitchHunter with other settings."""
    rows = [
        {"detector": name, "runs": run.details["n_seeds"].get(name), **_cells(run, f"whole/{name}", WHOLE)}
        for name in run.details.get("whole", [])
    ]
    return pd.DataFrame(rows) if rows else None


def published_table(run: StoredRun) -> pd.DataFrame | None:
    """The literature's figures of the detectors that were run."""
    rows = [asdict(figure) for figure in PUBLISHED if figure.detector in names(run)]
    return pd.DataFrame(rows) if rows else None


def indicators_table(run: StoredRun) -> pd.DataFrame | None:
    """Weight indicators by themselves against the truth."""
    if not run.metrics.get("truth/tested"):
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


def promises_table(run: StoredRun) -> pd.DataFrame:
    """What was promised of tokens not asked, and what is so."""
    rows = [
        {"detector": name, "tokens": item["n"], "promised": item["promised"], "glitch tokens": item["glitch"]}
        for name, items in run.details.get("promises", {}).items()
        for item in items
    ]
    return pd.DataFrame(rows)


def mistakes_table(run: StoredRun) -> pd.DataFrame:
    """Some tokens that our own detectors got wrong."""
    rows = [
        {
            "detector": name,
            "mistake": spaced(kind),
            "id": item["id"],
            "token": item["token"],
            "exposures": item["exposures"],
        }
        for name, mistakes in run.details.get("mistakes", {}).items()
        for kind, items in mistakes.items()
        for item in items
    ]
    frame = pd.DataFrame(rows)
    if len(frame) and frame["exposures"].isna().all():
        frame = frame.drop(columns="exposures")
    return frame


_FIXED = ", ".join(kind.name for kind in roster.DETECTORS if not kind.is_random)
_INTERVALS = f"means over seeds, 95 % Student t intervals; none for what is not random ({_FIXED})"
_BUDGET = "Budgets and tokens processed: as shares of asking every token once in the cheapest wording that counts"

TABLES = (
    Table(
        "f1",
        f"F1 of what each detector predicts of the whole vocabulary, at each budget ({_INTERVALS}). Every detector "
        f"turns its own score into a probability by isotonic regression on its own queries. {_BUDGET}.",
        f1_table,
    ),
    Table(
        "leads",
        "F1 of ours minus that of the best other detector, which is chosen by the truth at each budget (seed by seed; "
        "95 % Student t intervals).",
        lead_table,
    ),
    Table(
        "predicted",
        f"What each detector says of the whole vocabulary ({_INTERVALS}). {_BUDGET}. Promised: the mean probability of "
        "what is reported without having been asked.",
        predicted_table,
    ),
    Table(
        "confirmed",
        f"Tokens asked and found to fail ({_INTERVALS}); recall has a ceiling where fewer are asked than there are "
        f"glitch tokens. {_BUDGET}.",
        confirmed_table,
    ),
    Table(
        "whole",
        "Detectors that end by themselves, run without a budget as their authors run them, and GlitchHunter with other "
        f"values of settings its paper does not give ({_INTERVALS}). Only what was asked and failed is reported. "
        f"{_BUDGET}.",
        whole_table,
    ),
    Table("published", "What the literature reports, and why it is another measurement.", published_table),
    Table("indicators", "Weight indicators by themselves against the truth.", indicators_table),
    Table("calibration", "P(glitch | exposures), 95 % Wilson intervals.", calibration_table),
    Table(
        "promises",
        "P(glitch) of tokens not asked, over all seeds and budgets, and the share of them that are glitch tokens.",
        promises_table,
    ),
    Table("mistakes", "Some tokens that ours got wrong with the largest budget (first seed).", mistakes_table),
)
