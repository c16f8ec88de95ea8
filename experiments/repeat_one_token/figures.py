"""Pictures of one repeat_one_token run, from its stored files."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.charts import Curve, draw_curve
from harness.reporting.figures.families import colour_of, line_style_of, pool_title
from harness.reporting.figures.layout import legend_below
from harness.reporting.figures.style import QUIET, TWO_COLUMNS, new_figure
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun

_DOTS = (0, (1, 2))
_NORMS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 100)


def draw_logprob(run: StoredRun) -> MatplotlibFigure:
    """Median log-prob of another copy after n of them, with the middle half of the tokens."""
    figure = new_figure(height=2.4)
    axes = figure.subplots()
    names = pools_shown(run)
    for pool in names:
        _draw_quartiles(axes, run.arrays[f"{pool}/logprob"], pool, names)
    _copies_axis(axes, run.details["n_repetitions"])
    axes.set_ylabel("log-prob of one more (nats)")
    legend_below(figure, axes, 2)
    return figure


def draw_going_on(run: StoredRun) -> MatplotlibFigure | None:
    """Share of the tokens that started that goes on longer than so many copies."""
    names = pools_shown(run)
    if not any(f"{pool}/going_on/time" in run.arrays for pool in names):
        return None
    figure = new_figure(height=2.4)
    axes = figure.subplots()
    for pool in names:
        colour, dashes = colour_of(pool, names), line_style_of(pool, names)
        label = f"{pool} ({run.metrics[f'{pool}/n_started']} of {run.metrics[f'{pool}/n_tokens']} tokens started)"
        if f"{pool}/going_on/time" not in run.arrays:
            axes.plot([], [], dashes, color=colour, label=label)
            continue
        time, share, low, high = (run.arrays[f"{pool}/going_on/{part}"] for part in ("time", "share", "low", "high"))
        # 1 before the first time that one ends; log axes have no place for 0.
        x, y = np.concatenate([[0.5], time]), np.concatenate([[1.0], share])
        axes.plot(x, y, dashes, color=colour, drawstyle="steps-post", label=label)
        axes.fill_between(time, _held(low), _held(high), step="post", color=colour, alpha=0.2, linewidth=0)
    _copies_axis(axes, run.details["n_repetitions"], "copies after it started")
    axes.set_xlim(0.8, 1.2 * run.details["n_repetitions"])
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("share that goes on")
    legend_below(figure, axes)
    return figure


def _held(ends: np.ndarray) -> np.ndarray:
    """The last end goes on to where the share falls to 0 and has none: a step reaches as far as its share does."""
    known = np.flatnonzero(~np.isnan(ends))
    return np.where(np.arange(len(ends)) > known[-1], ends[known[-1]], ends) if len(known) else ends


def draw_sink(run: StoredRun) -> MatplotlibFigure | None:
    """Norms of copies and attention to the first one, each beside sequences of different tokens."""
    names = pools_shown(run)
    panels = [panel for panel in (_draw_norms, _draw_attention) if panel(None, run)]
    if not panels:
        return None
    figure = new_figure(TWO_COLUMNS if len(panels) > 1 else TWO_COLUMNS / 2, 2.5)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(grid, panels, strict=True):
        panel(axes, run)
        _copies_axis(axes, run.details["n_repetitions"], "copies (control: tokens)")
    last = grid[-1]
    for pool in names:
        if any(f"{pool}/{name}" in run.arrays for name in ("norm/control", "attention/first_control")):
            last.plot(
                [], [], color=colour_of(pool, names), linestyle=_DOTS, label=f"{pool_title(pool)}, different tokens"
            )
    legend_below(figure, last, 3)
    return figure


def _draw_norms(axes: Axes | None, run: StoredRun) -> bool:
    names = pools_shown(run)
    if f"{names[0]}/norm" not in run.arrays:
        return False
    if axes is not None:
        for pool in names:
            _draw_quartiles(axes, run.arrays[f"{pool}/norm"], pool, names)
            _draw_control(axes, run.arrays[f"{pool}/norm/control"], pool, names)
        axes.axhline(1.0, color=QUIET, linewidth=0.6)
        axes.set_yscale("log")
        lowest, highest = axes.get_ylim()
        axes.set_ylim(min(lowest, 0.1), highest)
        ticks = [tick for tick in _NORMS if min(lowest, 0.1) <= tick <= highest]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        layer = run.details["first_token"]["layer"]
        axes.set_ylabel(f"norm over position 0's (layer {layer})")
    return True


def _draw_attention(axes: Axes | None, run: StoredRun) -> bool:
    names = pools_shown(run)
    if f"{names[0]}/attention/first" not in run.arrays:
        return False
    if axes is not None:
        first = int(run.details["has_bos"])
        for pool in names:
            _draw_quartiles(axes, run.arrays[f"{pool}/attention/first"], pool, names)
            control = run.arrays.get(f"{pool}/attention/first_control")
            if control is not None:
                _draw_control(axes, control, pool, names)
        count = np.arange(1, run.details["n_repetitions"] + 1)
        axes.plot(count, 1 / (first + count), color=QUIET, linewidth=0.8, linestyle=(0, (4, 2)), label="evenly spread")
        axes.set_yscale("log")
        axes.set_ylabel("attention to the first copy")
    return True


def _draw_quartiles(axes: Axes, values: np.ndarray, pool: str, names: list[str]) -> None:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    x = np.arange(1, values.shape[1] + 1)
    draw_curve(axes, Curve(pool_title(pool), x, middle, low, high, colour_of(pool, names), line_style_of(pool, names)))


def _draw_control(axes: Axes, values: np.ndarray, pool: str, names: list[str]) -> None:
    x = np.arange(1, values.shape[1] + 1)
    axes.plot(x, np.median(values, axis=0), color=colour_of(pool, names), linestyle=_DOTS)


def _copies_axis(axes: Axes, largest: int, label: str = "copies so far") -> None:
    axes.set_xscale("log")
    ticks = [count for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if count <= largest]
    axes.set_xticks(ticks, [f"{count:,}" for count in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)


FIGURES = (
    Figure(
        "logprob",
        "Log-prob of a token as the continuation of its own copies: median over tokens, and the middle half of them.",
        draw_logprob,
    ),
    Figure(
        "going_on",
        "How long tokens stay the likeliest continuation, counted from where each started (Kaplan-Meier, with "
        "pointwise 95 % intervals; the end of the context censors it).",
        draw_going_on,
    ),
    Figure(
        "sink",
        "Are copies taken for the first token? Left: norm of the residual stream at each copy over that at position 0, "
        "in the layer where position 0 stands out most; 1 is a first token's. Right: attention to the first copy, mean "
        "over heads and layers. Median over tokens and the middle half of them; dotted: sequences of different tokens "
        "of the same pool (where none is seen, it lies on the pool's curve).",
        draw_sink,
    ),
)
