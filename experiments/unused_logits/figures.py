"""Pictures of one unused_logits run, from its stored files."""

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.families import colour_of, line_style_of, marker_of, pool_title
from harness.reporting.figures.layout import legend_below
from harness.reporting.figures.style import QUIET, new_figure
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun

_LEAST = 1e-12


def draw_misreading(run: StoredRun) -> MatplotlibFigure:
    """Raw logits against true probabilities at the ends of the prompts, with the curve that exp() would be."""
    figure = new_figure(height=2.6)
    axes = figure.subplots()
    names = pools_shown(run)
    edges: list[float] = []
    for pool in reversed(names):
        logits = run.arrays[f"{pool}/last/logit"].ravel()
        probability = np.maximum(run.arrays[f"{pool}/last/prob"].ravel(), _LEAST)
        axes.plot(
            logits, probability, marker_of(pool, names), color=colour_of(pool, names), markersize=2, alpha=0.5,
            markeredgewidth=0, label=pool_title(pool), rasterized=True,
        )  # fmt: skip
        edges += [float(logits.min()), float(logits.max())]
    line = np.linspace(min(edges), max(edges), 50)
    axes.plot(line, np.exp(line), color=QUIET, linewidth=0.8, linestyle=(0, (4, 2)), label="exp(logit): no probability")
    axes.set_yscale("log")
    axes.set_ylim(top=max(3.0, float(np.exp(max(edges))) if max(edges) < 3 else 20.0))
    axes.axhline(1.0, color=QUIET, linewidth=0.4)
    axes.set_xlabel("raw logit at the prompt's last position")
    axes.set_ylabel("probability")
    legend_below(figure, axes, 2)
    return figure


def draw_text(run: StoredRun) -> MatplotlibFigure:
    """Probability of each whole pool over the positions of running text, as a share of positions at or below it."""
    figure = new_figure(height=2.4)
    axes = figure.subplots()
    names = pools_shown(run)
    for pool in names:
        total = np.sort(np.maximum(run.arrays[f"{pool}/text/total"], _LEAST))
        share = np.arange(1, len(total) + 1) / len(total)
        colour = colour_of(pool, names)
        axes.plot(
            total, share, line_style_of(pool, names), color=colour, label=pool_title(pool), drawstyle="steps-post"
        )
        uniform = run.metrics[f"{pool}/uniform_probability"]
        axes.axvline(uniform, color=colour, linewidth=0.6, linestyle=(0, (1, 2)))
    axes.plot([], [], color=QUIET, linewidth=0.6, linestyle=(0, (1, 2)), label="if all tokens were equally likely")
    axes.set_xscale("log")
    axes.set_xlabel("probability of the whole pool")
    axes.set_ylabel("share of positions")
    legend_below(figure, axes, 2)
    return figure


FIGURES = (
    Figure(
        "misreading",
        "Raw logit and true probability of every token of each pool at the last position of each prompt. The dashed "
        "curve is what exp(logit) would give: a logit alone says nothing about a probability.",
        draw_misreading,
    ),
    Figure(
        "running_text",
        "Share of positions of running text at which a whole pool gets at most so much probability. Dotted: the pool's "
        "share of the vocabulary. What is below 1e-12 stands there.",
        draw_text,
    ),
)
