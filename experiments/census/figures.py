"""Pictures, tables and headline numbers of one census, from its stored files."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from harness.measure.formatting import number, with_interval
from harness.measure.intervals import wilson
from harness.reporting.display import Figure, Table
from harness.reporting.figures.charts import IntervalRow, forest
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.figures.tables import HIGH, LOW
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

SYMPTOMS = {
    "spelling_mistake": "spelling mistake",
    "incapability": "incapability",
    "hallucinatory_completion": "hallucinatory completion",
    "question_repetition": "question repetition",
    "random_characters": "random characters",
}
TYPES = {
    "word": "word",
    "letter": "letter",
    "character": "character",
    "letter_character": "letter-character",
    "special": "special (non-ASCII)",
}
NEEDED = 0.9
_SHOWN_ANSWER = 60


def tasks(run: StoredRun) -> list[str]:
    """The tasks of the census, in the order they were asked."""
    order = ["repetition", "spelling", "length"]
    return sorted(run.details.get("questions", {}), key=lambda name: order.index(name) if name in order else len(order))


def draw_tasks(run: StoredRun) -> MatplotlibFigure | None:
    """Pass rate of every task on well-known tokens and on all, beside the rate a task needs to count."""

    rows = []
    for name in tasks(run):
        counts = run.details["calibration"][name]["informative"]
        for key, label, colour in (("calibration_pass_rate", "well-known", 1), ("pass_rate", "all tested", 0)):
            mean = run.metrics.get(f"{name}/{key}")
            if mean is None:
                continue
            low, high = (run.metrics.get(f"{name}/{key}/ci_{end}") for end in ("low", "high"))
            uninformative = "" if counts else " (uninformative)"
            rows.append(IntervalRow(f"{name}{uninformative}: {label}", mean, low, high, COLOURS[colour]))
    if not rows:
        return None
    figure = new_figure(ONE_COLUMN * 1.35, 0.7 + 0.28 * len(rows))
    axes = figure.subplots()
    forest(axes, rows, "share of tokens that pass")
    axes.set_xlim(-0.05, 1.08)
    axes.axvline(NEEDED, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0)
    axes.text(
        NEEDED, 1.0, "needed", transform=axes.get_xaxis_transform(), fontsize=6, color=QUIET, ha="center", va="bottom"
    )
    return figure


def draw_exposures(run: StoredRun) -> MatplotlibFigure | None:
    """P(glitch | exposures): the share of glitch tokens against how often training showed the token."""
    rows = run.details.get("by_exposures") or []
    if not rows:
        return None

    figure = new_figure(height=2.5)
    axes = figure.subplots()
    for planted, label in ((False, "natural tokens"), (True, "planted tokens")):
        kept = [row for row in rows if row["planted"] is planted]
        if not kept:
            continue
        # The mean of the range's counts; a range of zeros has its place left of one.
        x = [max(float(row["mean"]), 0.35) * (1.06 if planted else 1 / 1.06) for row in kept]
        found = [wilson(row["glitch"], row["n"]) for row in kept]
        means = [interval.mean for interval in found]
        low = [i.mean - i.low if i.low is not None else 0.0 for i in found]
        high = [i.high - i.mean if i.high is not None else 0.0 for i in found]
        marker, line, colour = ("s", "--", COLOURS[0]) if planted else ("o", "-", COLOURS[1])
        axes.errorbar(x, means, yerr=[low, high], color=colour, label=label, capsize=1.5, marker=marker, linestyle=line)
    axes.set_xscale("log")
    ticks = [0.35, 1, 10, 100, 1000, 10_000]
    largest = max(float(row["mean"]) for row in rows)
    ticks = [tick for tick in ticks if tick <= 3 * max(largest, 1)]
    axes.set_xticks(ticks, ["0" if tick < 1 else f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("times shown in training")
    axes.set_ylabel("share that fails the census")
    axes.legend()
    return figure


def draw_kinds(run: StoredRun) -> MatplotlibFigure | None:
    """Glitch tokens by symptom and by type."""
    if not run.metrics.get("glitch_tokens"):
        return None

    figure = new_figure(TWO_COLUMNS, 1.9)
    for position, (axes, group, names) in enumerate(
        zip(figure.subplots(1, 2), ("symptom", "type"), (SYMPTOMS, TYPES), strict=True)
    ):
        _bars(
            axes, [(label, run.metrics.get(f"{group}/{key}") or 0) for key, label in names.items()], COLOURS[position]
        )
        axes.set_xlabel(f"glitch tokens {'showing this symptom' if group == 'symptom' else 'of this type'}")
    return figure


def _bars(axes: Axes, values: Sequence[tuple[str, Any]], colour: str) -> None:
    positions = range(len(values))
    axes.barh(positions, [value for _, value in values], color=colour, height=0.65)
    axes.set_yticks(positions, [label for label, _ in values])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    most = max(value for _, value in values) or 1
    for position, (_, value) in enumerate(values):
        axes.text(value + 0.01 * most, position, str(value), va="center", fontsize=6)
    axes.set_xlim(0, 1.12 * most)


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
                "passed there": run.metrics.get(f"{name}/calibration_pass_rate"),
                f"passed there{LOW}": run.metrics.get(f"{name}/calibration_pass_rate/ci_low"),
                f"passed there{HIGH}": run.metrics.get(f"{name}/calibration_pass_rate/ci_high"),
                "counts": "yes" if found["informative"] else "no: uninformative",
                "asked": run.metrics.get(f"{name}/asked"),
                "passed": run.metrics.get(f"{name}/pass_rate"),
                f"passed{LOW}": run.metrics.get(f"{name}/pass_rate/ci_low"),
                f"passed{HIGH}": run.metrics.get(f"{name}/pass_rate/ci_high"),
            }
        )
    return pd.DataFrame(rows)


def glitch_table(run: StoredRun) -> pd.DataFrame | None:
    """Every glitch token: what it is, how it fails, and what was said instead."""
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


def exposures_table(run: StoredRun) -> pd.DataFrame | None:
    """P(glitch | exposures) with intervals."""
    rows = run.details.get("by_exposures") or []
    if not rows:
        return None

    built = []
    for row in rows:
        interval = wilson(row["glitch"], row["n"])
        last = row["high"] - 1 if row["high"] else None
        built.append(
            {
                "tokens": "planted" if row["planted"] else "natural",
                "times shown": str(row["low"])
                if last == row["low"]
                else f"{row['low']} to {last}"
                if last
                else f"{row['low']} and more",
                "n": row["n"],
                "glitch tokens": row["glitch"],
                "share": interval.mean,
                f"share{LOW}": interval.low,
                f"share{HIGH}": interval.high,
            }
        )
    return pd.DataFrame(built)


def examples_table(run: StoredRun) -> pd.DataFrame | None:
    """What was said about a few well-known tokens: whether the model understands the question at all."""

    rows = [
        {
            "task": name,
            "token": example["token"],
            "said": str(example["answer"])[:_SHOWN_ANSWER],
            "right": "yes" if example["passed"] else "no",
        }
        for name in tasks(run)
        for example in run.details["calibration"][name]["examples"]
    ]
    return pd.DataFrame(rows) if rows else None


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The rate first, then every task."""

    metrics = run.metrics

    def rate(key: str) -> str:
        return with_interval(metrics.get(key), metrics.get(f"{key}/ci_low"), metrics.get(f"{key}/ci_high"))

    tested = metrics.get("tested") or 0
    verdict = f"{metrics.get('glitch_tokens')} of {tested}" if tested else "no verdict"
    rows = [HeadlineRow("glitch tokens", {"tokens": verdict, "share": rate("glitch_rate")})]
    for name in tasks(run):
        informative = metrics.get(f"{name}/informative")
        asked = metrics.get(f"{name}/asked") or 0
        rows.append(
            HeadlineRow(
                f"pass {name}",
                {
                    "tokens": f"{metrics.get(f'{name}/passed')} of {asked}" if asked else "not asked",
                    "share": rate(f"{name}/pass_rate"),
                    "on well-known": number(metrics.get(f"{name}/calibration_pass_rate"))
                    + ("" if informative else " uninformative"),
                },
            )
        )
    return rows


FIGURES = (
    Figure(
        "tasks",
        "Share of tokens that pass each task, on tokens the model knows well and on all that were tested, with 95 % "
        "Wilson intervals. A task below the dashed line says nothing about this model's tokens and takes no part in "
        "the verdict.",
        draw_tasks,
    ),
    Figure(
        "exposures",
        "Share of tokens that fail the census against how often training showed them, with 95 % Wilson intervals; one "
        "point for each range of counts, at the range's mean (0 stands left of 1).",
        draw_exposures,
    ),
    Figure(
        "kinds",
        "Glitch tokens by symptom (a token that fails several tasks may show several) and by type of token.",
        draw_kinds,
    ),
)
TABLES = (
    Table("tasks", "The tasks, and whether they tell anything about this model (95 % Wilson intervals).", tasks_table),
    Table("glitch_tokens", "Glitch tokens, and what was said instead.", glitch_table),
    Table("exposures", "Glitch tokens by how often training showed them (95 % Wilson intervals).", exposures_table),
    Table("examples", "What was said about some well-known tokens.", examples_table),
)
