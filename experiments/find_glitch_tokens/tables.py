"""Tables of one search, from its stored files."""

import pandas as pd

from harness.reporting.display import Table
from harness.runs.results.stored_run import StoredRun

_LISTED = ("confirmed", "predicted")


def list_table(run: StoredRun) -> pd.DataFrame | None:
    """What was found: confirmed tokens first, those that failed most clearly on top; then predicted by probability."""
    records = run.records
    if not len(records):
        return None
    found = records[records["verdict"].isin(_LISTED)]
    found = found.sort_values(["verdict", "probability", "margin", "id"], ascending=[True, False, True, True])
    columns = {
        "id": found["id"],
        "token": found["token"],
        "verdict": found["verdict"],
        "P(glitch)": found["probability"],
        "margin (logits)": found["margin"],
        "kind": found["kind"],
        "times shown in training": found["exposures"],
    }
    table = pd.DataFrame({name: list(values) for name, values in columns.items()})
    return table.dropna(axis="columns", how="all") if len(table) else None


def price_table(run: StoredRun) -> pd.DataFrame | None:
    """What was known after each step, and what it had cost."""
    if run.metrics.get("full") is None:
        return None
    full, arrays = run.metrics["full"], run.arrays
    n = len(arrays["step/spent"])
    has_confirmation = bool(run.details["n_confirming"])
    return pd.DataFrame(
        {
            "step": ["confirmation" if has_confirmation and k == n - 1 else str(k + 1) for k in range(n)],
            "tokens processed": arrays["step/spent"],
            "% of asking every token": [round(100 * spent / full, 2) for spent in arrays["step/spent"].tolist()],
            "tokens asked": arrays["step/asked"],
            "confirmed": arrays["step/confirmed"],
            "predicted": arrays["step/predicted"],
            "expected to be missed": arrays["step/expected_missed"],
            "expected in all": arrays["step/expected_total"],
        }
    )


def wordings_table(run: StoredRun) -> pd.DataFrame:
    """The wordings that were tried, the cheapest prompts first."""
    used = {one["name"]: "every token" for one in run.details["wordings"][:1]}
    used |= {one["name"]: "tokens that fail the first" for one in run.details["wordings"][1:]}
    used |= dict.fromkeys(run.details["further"], "second looks")
    rows = [
        {
            "wording": name,
            "asks": used.get(name, "nobody"),
            "trial": sentence.split(": ", 1)[-1],
        }
        for name, sentence in run.details["calibration"].items()
    ]
    return pd.DataFrame(rows)


TABLES = (
    Table(
        "found",
        "Glitch tokens: confirmed ones (asked, and failed in all they were asked in; lowest margin first), then those "
        "predicted (not asked; P(glitch) is what the detector learnt from those asked). Margin: by how much the token "
        "was ahead of the best other answer, the better of both wordings of a query. A census asks in every wording "
        "that counts: some confirmed tokens pass another one.",
        list_table,
    ),
    Table(
        "price",
        "The search step by step. Missed: glitch tokens that are neither asked nor on the list, by the sum of their "
        "probabilities. Trying the wordings is not in the price.",
        price_table,
    ),
    Table(
        "wordings",
        "Wordings that were tried on tokens the model knows, until no cheaper one could count. Every token asked is "
        "asked in the cheapest that counts and, if it fails, in the cheapest of another family; second looks at some "
        "that failed both ask in others that are not much dearer.",
        wordings_table,
    ),
)
