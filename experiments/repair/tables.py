"""Tables of one repair run, from its stored files."""

from typing import Any

import pandas as pd

from experiments.repair.metrics import meets_aims
from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

_COLUMNS = (
    ("repaired", "repair_rate"),
    ("wordings passed", "wordings_passed"),
    ("repaired, wordings seen", "repair_rate_fitting_wordings"),
    ("healthy harmed", "healthy_harmed"),
    ("healthy failing", "healthy_failing"),
    ("harmed, mended by mistake", "mistaken_harmed"),
    ("perplexity", "perplexity_change"),
    ("copy effect (nats)", "copy_effect_change"),
    ("tokens a word", "tokens_per_word_change"),
)


def methods(run: StoredRun) -> pd.DataFrame | None:
    """A row a method."""
    rows = []
    for one in run.details["methods"]:
        row: dict[str, Any] = {"method": one["name"]}
        for label, key in _COLUMNS:
            row |= interval_columns(label, run.interval(f"{one['name']}/{key}"))
        row |= {
            "left as they were": run.metrics[f"{one['name']}/left_out"],
            "positions": run.metrics[f"{one['name']}/positions"],
            "seconds": one["seconds"],
            "aims met": "control" if one["is_control"] else "yes" if meets_aims(run.metrics, one["name"]) else "no",
        }
        rows.append(row)
    return pd.DataFrame(rows) if rows else None


def settings(run: StoredRun) -> pd.DataFrame | None:
    """What was chosen or found on the way."""
    rows = [
        {"method": one["name"], "what": key, "value": value}
        for one in run.details["methods"]
        for key, value in one.items()
        if key not in ("name", "is_control", "seconds")
    ]
    return pd.DataFrame(rows) if rows else None


def tokens(run: StoredRun) -> pd.DataFrame | None:
    """Every glitch token, with the wordings that it passes by method."""
    rows = [
        {
            "id": row["id"],
            "token": visible(str(row["token"])),
            "kind": row["kind"],
            "held out": "yes" if row["held_out"] else "no",
            "times shown": row["exposures"],
            "wordings": row["wordings"],
            **{one["name"]: row[f"{one['name']}/passed"] for one in run.details["methods"]},
        }
        for row in run.record_rows()
    ]
    return pd.DataFrame(rows).dropna(axis="columns", how="all") if rows else None


TABLES = (
    Table(
        "methods",
        "What each method repairs and harms, 95 % intervals. Repaired: share of held-out glitch tokens that pass a "
        "held-out wording (Wilson); wordings passed: mean share of these (bootstrap over tokens); wordings seen: the "
        "same by wordings that a method may choose by. Harmed: share of tokens that fail, minus the untouched model's, "
        "asked the same way (Newcombe, paired). Perplexity and tokens a word: relative change on running text "
        "(bootstrap over documents). Positions and seconds: to find the change.",
        methods,
    ),
    Table("settings", "What a method chose, or found on the way.", settings),
    Table("tokens", "Every glitch token: how many of the held-out wordings it passes with each method.", tokens),
)
