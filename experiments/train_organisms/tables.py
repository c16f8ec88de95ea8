"""Tables of one train_organisms run, from its stored files."""

import pandas as pd

from experiments.train_organisms.metrics import HALVED, MATRICES
from experiments.train_organisms.probing import QUANTITIES
from harness.measure.formatting import number
from harness.reporting.display import Table
from harness.runs.results.stored_run import StoredRun


def half_dose_text(run: StoredRun, arm: str, name: str) -> str:
    """The dose and its interval; an end beyond the largest dose is said so. A dash for an arm that does not copy."""
    if f"{arm}/half_dose/{name}" not in run.metrics:
        return "–"
    largest = max(run.details["doses"])
    value, low, high = (
        f">{largest}" if end is None else number(end, 0) for end in run.interval(f"{arm}/half_dose/{name}")
    )
    return f"{value} [{low}, {high}]"


def _columns(run: StoredRun, label: str, key: str) -> dict[str, object]:
    if key not in run.metrics:
        return {label: None}
    mean, low, high = run.interval(key)
    return {label: mean, f"{label} ci_low": low, f"{label} ci_high": high}


def build_arms(run: StoredRun) -> pd.DataFrame:
    """One row an arm: what it learnt, and from which dose on."""
    rows = []
    for arm, label in run.details["arms"].items():
        rows.append(
            {
                "arm": label,
                "trainings": run.metrics[f"{arm}/trainings"],
                "comparable": "yes" if run.metrics[f"{arm}/comparable"] else "no",
                **_columns(run, "held-out loss", f"{arm}/held_out_loss"),
                **_columns(run, "well-shown copied", f"{arm}/well_shown/copied"),
                **_columns(run, "never shown copied", f"{arm}/dose_0/copied"),
                **{f"half dose, {name}": half_dose_text(run, arm, name) for name in HALVED},
            }
        )
    return pd.DataFrame(rows)


def build_rows(run: StoredRun) -> pd.DataFrame:
    """One row an arm: where rows of tokens never shown lie."""
    return pd.DataFrame(
        [
            {
                "arm": label,
                **{
                    column: value
                    for matrix in MATRICES
                    for group in ("never_shown", "well_shown")
                    for column, value in _columns(
                        run, f"{matrix}: cosine, {group.replace('_', ' ')}", f"{arm}/cosine/{matrix}/{group}"
                    ).items()
                },
                **{
                    column: value
                    for matrix in MATRICES
                    for column, value in _columns(run, f"{matrix}: length ratio", f"{arm}/norm_ratio/{matrix}").items()
                },
            }
            for arm, label in run.details["arms"].items()
        ]
    )


def build_indicators(run: StoredRun) -> pd.DataFrame:
    """One row an arm: how well each indicator tells tokens never shown from well-shown ones."""
    return pd.DataFrame(
        [
            {
                "arm": label,
                **{
                    column: value
                    for name in run.details["indicators"]
                    for column, value in _columns(run, name, f"{arm}/auc/{name}").items()
                },
            }
            for arm, label in run.details["arms"].items()
        ]
    )


def build_doses(run: StoredRun) -> pd.DataFrame:
    """One row an arm and dose."""
    rows = []
    for arm, label in run.details["arms"].items():
        for dose in [*(f"dose_{dose}" for dose in run.details["doses"]), "well_shown"]:
            values: dict[str, object] = {}
            for name in QUANTITIES:
                values |= _columns(run, name, f"{arm}/{dose}/{name}")
            rows.append({"arm": label, "exposures": dose.removeprefix("dose_").replace("_", " "), **values})
    return pd.DataFrame(rows)


TABLES = (
    Table(
        "arms",
        "What each arm learnt, and the exposures at which a token has half of what well-shown ones have (intervals "
        "over trainings and tokens). An arm that is not comparable learnt too little to say anything of rare tokens.",
        build_arms,
    ),
    Table(
        "rows",
        "Rows of planted tokens never shown beside as many well-shown ones: mean cosine to their own mean (the "
        "vocabulary's mean subtracted; by chance 1 / sqrt of their number), and the ratio of median lengths.",
        build_rows,
    ),
    Table(
        "indicators",
        "Area under the ROC curve of each indicator, tokens never shown against well-shown ones; intervals over "
        "trainings.",
        build_indicators,
    ),
    Table("doses", "Copying by exposures; intervals over trainings and tokens.", build_doses),
)
