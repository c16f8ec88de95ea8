"""Pictures of one train_pocket run, from its stored files."""

from matplotlib.figure import Figure as MatplotlibFigure

from experiments.train_pocket.tables import ORIGINS, by_exposures
from harness.reporting.display import Figure
from harness.reporting.figures.layout import error_lengths
from harness.reporting.figures.style import COLOURS, TWO_COLUMNS, new_figure
from harness.runs.results.stored_run import StoredRun

CHANCE_OF_NONE = 0.5
"""Where a dose of 0 stands on a logarithmic axis."""


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
        groups = by_exposures(run, origin).values()
        x = [max(CHANCE_OF_NONE, float(group["median_exposures"])) for group in groups]
        y = [group["copy_accuracy_cued"] for group in groups]
        lengths = error_lengths(
            (group["copy_accuracy_cued"], group["copy_accuracy_cued/ci_low"], group["copy_accuracy_cued/ci_high"])
            for group in groups
        )
        axes.errorbar(x, y, yerr=lengths, color=colour, marker=marker, markersize=3.5, capsize=2, label=origin)
    axes.set_xscale("log")
    ticks = [CHANCE_OF_NONE, 1, 10, 100, 1000, 10_000]
    axes.set_xticks(ticks, ["0", "1", "10", "100", "1 000", "10 000"])
    axes.set(xlabel="exposures in training (median of the group)", ylabel="copy accuracy", ylim=(-0.03, 1.03))
    axes.legend()
    return figure


FIGURES = (
    Figure("training_curve", "Loss (means of ten steps) and copying of well-shown tokens while training.", draw_curve),
    Figure(
        "dose_response",
        "Copy accuracy at sequence length 25 against how often training showed a token; 95 % intervals over tokens.",
        draw_dose_response,
    ),
)
