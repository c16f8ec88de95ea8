"""Pictures of one train_organisms run, from its stored files."""

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.layout import NEVER_SHOWN, error_lengths, exposure_axis, legend_below, name_rows
from harness.reporting.figures.style import COLOURS, MARKERS, QUIET, TWO_COLUMNS, new_figure
from harness.runs.results.stored_run import StoredRun

_APART = 1.06
"""Arms of one dose stand this factor apart, so that none hides another."""


def comparable_arms(run: StoredRun) -> dict[str, str]:
    """Name and label of each arm that learnt enough to be compared, in the order of the run."""
    return {arm: label for arm, label in run.details["arms"].items() if run.metrics[f"{arm}/comparable"]}


def draw_doses(run: StoredRun) -> MatplotlibFigure | None:
    """Copying against exposures, a line an arm."""
    arms, doses = comparable_arms(run), run.details["doses"]
    if not arms:
        return None
    figure = new_figure(TWO_COLUMNS, 3.0)
    panels = figure.subplots(1, 2)
    for axes, (name, label) in zip(panels, (("copied", "copied"), ("logit_diff", "logits above a foil")), strict=True):
        for number, (arm, words) in enumerate(arms.items()):
            found = [run.interval(f"{arm}/dose_{dose}/{name}") for dose in doses]
            place = _APART ** (number - (len(arms) - 1) / 2)
            axes.errorbar(
                [max(dose, NEVER_SHOWN) * place for dose in doses], [mean for mean, _, _ in found],
                yerr=error_lengths(found), fmt=MARKERS[number % len(MARKERS)] + "-",
                color=COLOURS[number % len(COLOURS)], markersize=3, linewidth=0.9, elinewidth=0.6, label=words,
            )  # fmt: skip
        exposure_axis(axes, float(max(doses)))
        axes.set_ylabel(label)
    panels[0].set_ylim(-0.03, 1.03)
    legend_below(figure, panels[0], 3)
    return figure


def draw_rows(run: StoredRun) -> MatplotlibFigure | None:
    """Where rows of tokens never shown lie: a dot a training, tokens never shown filled, well-shown ones hollow."""
    arms = comparable_arms(run)
    if not arms:
        return None
    figure = new_figure(TWO_COLUMNS, 0.9 + 0.3 * len(arms))
    panels = figure.subplots(1, 2, sharey=True)
    for number, (axes, matrix) in enumerate(zip(panels, ("embedding", "unembedding"), strict=True)):
        for row, arm in enumerate(arms):
            for group, (label, filled) in enumerate((("never shown", True), ("well shown", False))):
                values = run.arrays[f"{arm}/cosine"][:, number, group]
                colour = COLOURS[group]
                axes.plot(
                    values, np.full(len(values), row), linestyle="none", marker=MARKERS[group], markersize=4,
                    color=colour, markerfacecolor=colour if filled else "none", label=label if row == 0 else None,
                )  # fmt: skip
        chance = 1 / np.sqrt(run.metrics["reference/tokens_per_group"])
        axes.axvline(chance, color=QUIET, linewidth=0.6, linestyle="--", zorder=0)
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel(f"{matrix}: cosine to own mean")
    name_rows(panels[0], list(arms.values()))
    legend_below(figure, panels[0], 2)
    return figure


FIGURES = (
    Figure(
        "doses",
        "Copying against how often training showed planted tokens, one line an arm that learnt enough (95 % intervals "
        "over trainings and tokens). Left: share of appearances in which the token is the only likeliest where it must "
        "be copied; right: logits above a token that did not occur.",
        draw_doses,
    ),
    Figure(
        "rows",
        "Mean cosine of rows to their own mean, a dot a training: planted tokens never shown, and as many well-shown "
        "ones. Dashed: expected of rows in random directions.",
        draw_rows,
    ),
)
