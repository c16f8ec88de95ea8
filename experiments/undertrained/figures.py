"""Pictures of one undertrained run, from its stored files."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from harness.models.answers.magikarp import VERIFIED_BELOW
from harness.reporting.display import Figure
from harness.reporting.figures.layout import legend_below
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.words import INDICATORS
from harness.runs.results.stored_run import StoredRun

_LEAST = 1e-9


def draw_verification(run: StoredRun) -> MatplotlibFigure | None:
    """Indicator against max_prob of every candidate, with the line below which a token counts as under-trained."""
    best = run.arrays["max_prob"]
    if not len(best) or not np.isfinite(best).any():
        return None
    main = run.details["main_indicator"]
    values = run.arrays[f"indicator/{main}"][run.arrays["candidates"]]
    verified = best < VERIFIED_BELOW
    figure = new_figure(height=2.6)
    axes = figure.subplots()
    for mask, colour, marker, label in (
        (~verified, COLOURS[1], "o", "said when asked"),
        (verified, COLOURS[0], "s", "verified: under-trained"),
    ):
        axes.plot(
            values[mask], np.maximum(best[mask], _LEAST), marker, color=colour, markersize=2.2, alpha=0.6,
            markeredgewidth=0, label=f"{label} ({int(mask.sum())})", rasterized=True,
        )  # fmt: skip
    axes.axhline(VERIFIED_BELOW, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)))
    axes.set_yscale("log")
    axes.set_ylim(top=2)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(f"{INDICATORS[main]} (low: suspicious)")
    axes.set_ylabel("largest probability when asked")
    legend_below(figure, axes, 2)
    return figure


def draw_indicators(run: StoredRun) -> MatplotlibFigure:
    """Every indicator over the vocabulary, the verified tokens marked."""
    names = [name for name in INDICATORS if f"indicator/{name}" in run.arrays]
    candidates = run.arrays["candidates"]
    verified = candidates[run.arrays["max_prob"] < VERIFIED_BELOW]
    figure = new_figure(TWO_COLUMNS, 1.9)
    for position, (axes, name) in enumerate(zip(figure.subplots(1, len(names), sharey=True), names, strict=True)):
        values = run.arrays[f"indicator/{name}"]
        bins = np.linspace(values.min(), values.max(), 60)
        axes.hist(values, bins=bins, color=QUIET, alpha=0.5, label="all tokens")
        if len(verified):
            axes.hist(values[verified], bins=bins, color=COLOURS[0], label="verified: under-trained")
        axes.set_yscale("log")
        if name == run.details["main_indicator"]:
            axes.axvline(run.details["threshold"], color=COLOURS[1], linewidth=0.8, linestyle=(0, (4, 2)))
            axes.plot(
                [], [], color=COLOURS[1], linestyle=(0, (4, 2)), linewidth=0.8, label="candidates lie left of this"
            )
        axes.set_xlabel(INDICATORS[name], fontsize=6)
        if position == 0:
            axes.set_ylabel("tokens")
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure


FIGURES = (
    Figure(
        "verification",
        "Candidates: how suspicious their weights are against the largest probability the model gives them when asked. "
        "Below the dashed line a token counts as under-trained (probability under 0.01 everywhere).",
        draw_verification,
    ),
    Figure(
        "indicators",
        "Indicators from the weights over the whole vocabulary, verified tokens in front; low values are suspicious.",
        draw_indicators,
    ),
)
