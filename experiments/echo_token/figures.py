"""Pictures, tables and headline numbers of one echo_token run, from its stored files."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from harness.measure.formatting import with_interval
from harness.reporting.display import Figure, Table
from harness.reporting.figures.charts import IntervalRow, forest
from harness.reporting.figures.style import ONE_COLUMN, colour_of, marker_of, new_figure
from harness.reporting.figures.tables import HIGH, LOW
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

SETTINGS = {
    "greedy": "greedy",
    "sampled": "sampled",
    "article_greedy": "greedy, article's ban (artefact)",
    "article_sampled": "sampled, article's ban (artefact)",
}
_ROWS = 200


def pools(run: StoredRun) -> list[str]:
    """The pools tested, in the order of the config; those the experiment adds come last."""
    tested = run.details.get("pools", {})
    asked = [name for name in run.config.get("pools", {}) if name in tested]
    return asked + [name for name in tested if name not in asked]


def _settings(run: StoredRun) -> list[str]:
    return [name for name in SETTINGS if name in run.details.get("settings", [])]


def draw_success(run: StoredRun) -> MatplotlibFigure | None:
    """Success rate of every pool in every setting."""

    names = pools(run)
    rows = []
    for setting in _settings(run):
        for pool in names:
            mean, low, high = _success(run, pool, setting)
            if mean is not None:
                label = f"{SETTINGS[setting]}: {pool}"
                rows.append(IntervalRow(label, mean, low, high, colour_of(pool, names), marker_of(pool, names)))
    if not rows:
        return None
    figure = new_figure(1.55 * ONE_COLUMN, 0.7 + 0.26 * len(rows))
    axes = figure.subplots()
    forest(axes, rows, "share of exact echoes")
    axes.set_xlim(-0.06, 1.06)
    return figure


def _success(run: StoredRun, pool: str, setting: str) -> tuple[float | None, float | None, float | None]:
    key = f"{pool}/{setting}/success"
    return run.metrics.get(key), run.metrics.get(f"{key}/ci_low"), run.metrics.get(f"{key}/ci_high")


def success_table(run: StoredRun) -> pd.DataFrame | None:
    """Success rates with intervals."""

    rows = []
    for setting in _settings(run):
        for pool in pools(run):
            mean, low, high = _success(run, pool, setting)
            if mean is None:
                continue
            rows.append(
                {
                    "setting": SETTINGS[setting],
                    "pool": pool,
                    "tokens": run.metrics.get(f"{pool}/n_tokens"),
                    "answers each": run.details["n_seeds"] if "sampled" in setting else 1,
                    "exact echoes": mean,
                    f"exact echoes{LOW}": low,
                    f"exact echoes{HIGH}": high,
                }
            )
    return pd.DataFrame(rows) if rows else None


def tokens_table(run: StoredRun) -> pd.DataFrame | None:
    """Every token, its successes, and what was said instead."""
    records = run.records
    if not len(records):
        return None

    rows = []
    for record in records.head(_ROWS).to_dict("records"):
        row: dict[str, Any] = {"pool": record["pool"], "id": record["id"], "token": record["token"]}
        for setting in _settings(run):
            row[SETTINGS[setting]] = f"{record[f'{setting}/successes']}/{record[f'{setting}/trials']}"
        row["greedy: said instead"] = _instead(record["greedy/instead"])
        row["sampled: said instead"] = _instead(record["sampled/instead"])
        rows.append(row)
    return pd.DataFrame(rows)


def _instead(found: Sequence[Sequence[Any]]) -> str:
    return "  ".join(f"{str(text)[:24] or '(nothing)'} ×{count}" for text, count in found)


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row for each pool."""

    if not run.details.get("fits"):
        needed, window = run.details.get("n_needed"), run.details.get("n_ctx")
        return [HeadlineRow("echo test", {"result": f"uninformative: {needed} tokens, the window holds {window}"})]
    rows = []
    for pool in pools(run):
        values = {
            SETTINGS[setting]: with_interval(*_success(run, pool, setting), digits=2)
            for setting in ("greedy", "sampled")
            if setting in _settings(run)
        }
        if "article_greedy" in _settings(run):
            values["article's ban (artefact)"] = with_interval(*_success(run, pool, "article_greedy"), digits=2)
        rows.append(HeadlineRow(pool, values))
    return rows


FIGURES = (
    Figure(
        "success",
        "Share of answers that repeat the input exactly, after identical trials in the prompt; 95 % intervals (Wilson "
        "over tokens; sampled: for answers that hang together by token). The article's ban on repeated 2-grams counts "
        "the prompt and so forbids the right answer: those rows show the ban, not the model.",
        draw_success,
    ),
)
TABLES = (
    Table("success", "Share of exact echoes with 95 % intervals.", success_table),
    Table("tokens", "Exact echoes of each token, and the most frequent other answers.", tokens_table),
)
