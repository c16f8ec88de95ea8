"""Pictures, tables and headline numbers of one train_pocket run, from its stored files."""

import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure, Table
from harness.reporting.figures.style import COLOURS, TWO_COLUMNS, new_figure
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

ORIGINS = ("natural", "planted")
CHANCE_OF_NONE = 0.5
"""Where a dose of 0 stands on a logarithmic axis."""


def headline(run: StoredRun) -> list[HeadlineRow]:
    """Copying at both ends of the exposures, and the tasks on tokens held out of them."""
    rows = [
        HeadlineRow(
            f"{bucket} exposures, {origin}",
            {"copy gain": f"{values['copy_gain_cued']:.2f}", "copy accuracy": f"{values['copy_accuracy_cued']:.3f}"},
        )
        for origin in ORIGINS
        for bucket, values in _ends(_by_exposures(run, origin))
    ]
    rows += [
        HeadlineRow(task, {"held out": f"{rate['passed']}/{rate['n']}"})
        for task, rate in run.details["tasks_held_out"].items()
        if rate["n"]
    ]
    score, head = run.metrics["induction_score_max"], run.metrics["induction_head"]
    return [*rows, HeadlineRow("induction score", {"value": f"{score:.3f}", "head": str(head)})]


def _by_exposures(run: StoredRun, origin: str) -> dict[str, dict[str, float]]:
    """Groups from least to most shown; on disk they are in the order of their labels."""
    return dict(sorted(run.details[origin].items(), key=lambda item: item[1]["median_exposures"]))


def _ends(buckets: dict[str, dict[str, float]]) -> list[tuple[str, dict[str, float]]]:
    items = list(buckets.items())
    return items if len(items) < 2 else [items[0], items[-1]]


def draw_curve(run: StoredRun) -> MatplotlibFigure | None:
    """Loss and copy accuracy against the step."""

    if run.records.empty:
        return None
    figure = new_figure(TWO_COLUMNS, 2.3)
    loss, copying = figure.subplots(1, 2)
    points = run.records.dropna(subset=["loss"])
    loss.plot(points["step"], points["loss"], color=COLOURS[1], linewidth=0.7)
    loss.set(xlabel="step", ylabel="loss (nats per token)")
    points = run.records.dropna(subset=["copy_accuracy_cued"])
    copying.plot(points["step"], points["copy_accuracy_cued"], color=COLOURS[0])
    copying.set(xlabel="step", ylabel="copy accuracy, well-shown tokens", ylim=(-0.03, 1.03))
    return figure


def draw_dose_response(run: StoredRun) -> MatplotlibFigure | None:
    """Copy accuracy against exposures: planted doses with intervals over tokens, natural tokens in ranges."""

    figure = new_figure(height=2.5)
    axes = figure.subplots()
    for origin, colour, marker in zip(ORIGINS, (COLOURS[1], COLOURS[0]), ("s", "o"), strict=True):
        buckets = _by_exposures(run, origin)
        x = [max(CHANCE_OF_NONE, float(values["median_exposures"])) for values in buckets.values()]
        y = [values["copy_accuracy_cued"] for values in buckets.values()]
        low = [v["copy_accuracy_cued"] - v["copy_accuracy_cued/ci_low"] for v in buckets.values()]
        high = [v["copy_accuracy_cued/ci_high"] - v["copy_accuracy_cued"] for v in buckets.values()]
        axes.errorbar(x, y, yerr=[low, high], color=colour, marker=marker, markersize=3.5, capsize=2, label=origin)
    axes.set_xscale("log")
    ticks = [CHANCE_OF_NONE, 1, 10, 100, 1000, 10_000]
    axes.set_xticks(ticks, ["0", "1", "10", "100", "1 000", "10 000"])
    axes.set(xlabel="exposures in training (median of the group)", ylabel="copy accuracy", ylim=(-0.03, 1.03))
    axes.legend()
    return figure


def build_buckets(run: StoredRun) -> pd.DataFrame:
    """Copying by exposures, natural and planted."""

    return pd.DataFrame(
        [
            {"tokens": origin, "exposures": label, **values}
            for origin in ORIGINS
            for label, values in _by_exposures(run, origin).items()
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


FIGURES = (
    Figure("training_curve", "Loss (means of ten steps) and copying of well-shown tokens while training.", draw_curve),
    Figure(
        "dose_response",
        "Copy accuracy at sequence length 25 against how often training showed a token; 95 % intervals over tokens.",
        draw_dose_response,
    ),
)
TABLES = (
    Table("copying", "Copying by exposures.", build_buckets),
    Table("tasks", "Tasks on tokens held out of them, and on tokens never shown.", build_tasks),
)
