"""Tables of one train_pocket run, from its stored files."""

import pandas as pd

from harness.reporting.display import Table
from harness.runs.results.stored_run import StoredRun

ORIGINS = ("natural", "planted")


def by_exposures(run: StoredRun, origin: str) -> dict[str, dict[str, float]]:
    """Groups from least to most shown; on disk they are in the order of their labels."""
    return dict(sorted(run.details[origin].items(), key=lambda item: item[1]["median_exposures"]))


def build_buckets(run: StoredRun) -> pd.DataFrame:
    """Copying by exposures, natural and planted."""
    return pd.DataFrame(
        [
            {"tokens": origin, "exposures": label, **values}
            for origin in ORIGINS
            for label, values in by_exposures(run, origin).items()
        ]
    )


def build_tasks(run: StoredRun) -> pd.DataFrame:
    """Pass rates on tokens held out of a task's prompt, and on tokens that training never showed."""
    held_out, unseen = run.details["tasks_held_out"], run.details["tasks_unseen"]
    return pd.DataFrame(
        [
            {
                "task": task,
                "held out: passed": held_out[task]["passed"],
                "held out: n": held_out[task]["n"],
                "never shown: passed": unseen[task]["passed"],
                "never shown: n": unseen[task]["n"],
            }
            for task in held_out
        ]
    )


TABLES = (
    Table("copying", "Copying by exposures.", build_buckets),
    Table("tasks", "Tasks on tokens held out of them, and on tokens never shown.", build_tasks),
)
