"""Picture and headline numbers of one train_path_star run, from its stored files."""

from typing import TYPE_CHECKING

from harness.registry import Figure, HeadlineRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

    from harness.results.stored_run import StoredRun


def headline(run: "StoredRun") -> list[HeadlineRow]:
    """Steps, loss and the last probe."""
    from harness.figures.tables import number

    return [
        HeadlineRow(
            f"{run.details['task']} {run.details['objective'].replace('_', ' ')}",
            {
                "steps": str(run.metrics["steps"]),
                "loss (nats)": number(run.metrics["final_loss"], 4),
                "exact match (probe)": number(run.metrics["probe/exact_match"], 3),
            },
        )
    ]


def draw_curve(run: "StoredRun") -> "MatplotlibFigure | None":
    """Loss, and exact match with every node's accuracy, against the step."""
    from harness.figures.style import COLOURS, LINE_STYLES, QUIET, TWO_COLUMNS, new_figure

    if run.records.empty or "exact_match" not in run.records:
        return None
    figure = new_figure(TWO_COLUMNS, 2.6)
    loss, right = figure.subplots(1, 2)
    points = run.records.dropna(subset=["loss"])
    loss.plot(points["step"], points["loss"], color=COLOURS[1], linewidth=0.7)
    loss.set(xlabel="step", ylabel="loss (nats per token of the answer)", ylim=(0, None))
    probes = run.records.dropna(subset=["exact_match"])
    positions = [name for name in probes.columns if str(name).startswith("position_")]
    for number, name in enumerate(positions):
        right.plot(
            probes["step"], probes[name], LINE_STYLES[number // len(COLOURS) % len(LINE_STYLES)],
            color=COLOURS[number % len(COLOURS)], linewidth=0.9, label=f"node {number + 1}, truth before it",
        )  # fmt: skip
    right.plot(probes["step"], probes["exact_match"], color="black", linewidth=1.6, label="whole answer")
    chance = run.metrics["chance"]
    right.axhline(chance, color=QUIET, linewidth=0.7, linestyle="--", label=f"chance among the arms, {chance:.2f}")
    right.set(xlabel="step", ylabel="share right, held-out graphs", ylim=(-0.03, 1.03))
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


FIGURES = (
    Figure(
        "training_curve",
        "Loss (means of 25 steps), and the share of held-out graphs whose answer is right: as a whole, and node by "
        "node with the truth before it.",
        draw_curve,
    ),
)
