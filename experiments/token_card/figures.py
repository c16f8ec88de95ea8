"""Pictures of one token_card run, from its stored files."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.token_card.tables import NUMBERS, PROMPTS
from harness.models.answers.magikarp import VERIFIED_BELOW
from harness.reporting.display import Figure
from harness.reporting.figures.layout import name_rows
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.figures.text import figure_text
from harness.runs.results.stored_run import StoredRun

_LEAST = 1e-9


def draw_card(run: StoredRun) -> MatplotlibFigure:
    """Where the token stands among all by its weights, and how likely the model predicts it when prompted for it."""
    card = run.details["card"]
    figure = new_figure(TWO_COLUMNS, 0.9 + 0.3 * max(len(run.details["indicators"]), 4))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_standing(left, run)
    _draw_verification(right, run)
    figure.suptitle(f"{figure_text(card['token'], 40)}  (id {card['id']})", fontsize=8)
    return figure


def _draw_standing(axes: Axes, run: StoredRun) -> None:
    rows = run.details["indicators"]
    for place, row in enumerate(rows):
        values = run.arrays[f"indicator/{row['name']}"]
        # Each number on its own scale from its lowest to its highest token.
        span = float(values.max() - values.min()) or 1.0
        scaled = (values - values.min()) / span
        # Vertical jitter only, a quarter of the row's height and the same every time.
        shift = np.random.default_rng(0).uniform(-0.22, 0.22, len(scaled))
        axes.plot(scaled, place + shift, ",", color=QUIET, alpha=0.35, rasterized=True)
        axes.plot((row["value"] - values.min()) / span, place, "o", color=COLOURS[0], markersize=5, zorder=3)
        axes.text(1.03, place, f"{row['rank']:,}", va="center", fontsize=6, color=COLOURS[0])
    name_rows(axes, [NUMBERS[row["name"]] for row in rows], below=0.45, above=0.55)
    axes.set_xlim(-0.03, 1.02)
    axes.set_xticks([0, 1], ["lowest", "highest"])
    axes.set_xlabel(f"all {run.details['d_vocab']:,} tokens (grey) and this one")
    axes.text(1.03, 1.01, "rank", transform=axes.get_xaxis_transform(), fontsize=6, color=COLOURS[0], va="bottom")
    axes.spines["left"].set_visible(False)


def _draw_verification(axes: Axes, run: StoredRun) -> None:
    rows = run.details["verification"]
    for place, row in enumerate(rows):
        if row["max_prob"] is None:
            axes.text(_LEAST * 2, place, "does not fit the window", va="center", fontsize=6, color=QUIET)
            continue
        axes.plot(
            max(row["max_prob"], _LEAST), place, "o", color=COLOURS[0], label="this token" if place == 0 else None
        )
        if row.get("known_median") is not None:
            label = "well-known tokens, median" if place == 0 else None
            axes.plot(max(row["known_median"], _LEAST), place, "D", color=COLOURS[1], fillstyle="none", label=label)
    axes.axvline(VERIFIED_BELOW, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)))
    axes.set_xscale("log")
    axes.set_xlim(_LEAST / 2, 3)
    name_rows(axes, [PROMPTS[row["prompt"]] for row in rows])
    axes.set_xlabel("largest probability when asked for")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=1)


FIGURES = (
    Figure(
        "card",
        "Left: this token among all by numbers from the weights, each on its own scale, with its rank from below. "
        "Right: the largest probability it gets when Magikarp's prompts ask for it; left of the dashed line it counts "
        "as under-trained.",
        draw_card,
    ),
)
