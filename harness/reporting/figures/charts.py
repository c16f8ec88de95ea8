"""The kinds of picture several experiments draw: curves with bands, maps of heads, rows of means with intervals."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.measure.formatting import decimals, fixed, number
from harness.reporting.figures.style import COLOURS, DIVERGING, QUIET, SEQUENTIAL, TWO_COLUMNS, new_figure
from harness.reporting.figures.text import figure_text


@dataclass(frozen=True)
class Curve:
    """A mean at every x with its 95 % interval; NaN where there is none."""

    label: str
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    colour: str = COLOURS[0]
    line_style: str = "-"


def draw_curve(axes: Axes, curve: Curve) -> None:
    """A line and its band."""
    axes.plot(curve.x, curve.mean, curve.line_style, color=curve.colour, label=figure_text(curve.label, 52))
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.x, curve.low, curve.high, color=curve.colour, alpha=0.2, linewidth=0)


def mark_halves(axes: Axes, seq_len: int, named: bool = True) -> None:
    """Shade the second half of `half half` positions 0..2*seq_len-1, and name both above the axes."""
    axes.axvspan(seq_len - 0.5, 2 * seq_len - 0.5, color="#000000", alpha=0.045, linewidth=0)
    axes.axvline(seq_len - 0.5, color=QUIET, linewidth=0.6, linestyle=(0, (4, 2)))
    axes.set_xlim(-0.5, 2 * seq_len - 0.5)
    if not named:
        return
    for centre, name in ((0.25, "first half"), (0.75, "second half (a copy)")):
        axes.text(centre, 1.01, name, transform=axes.transAxes, ha="center", va="bottom", fontsize=6.5, color=QUIET)


@dataclass(frozen=True)
class HeadMap:
    """One value for every layer and head."""

    title: str
    values: np.ndarray
    """[layer, head]; NaN is left blank."""
    diverging: bool = False
    """Differences: white is 0."""


def head_map_grid(
    rows: Sequence[Sequence[HeadMap]],
    row_labels: Sequence[str],
    layers: Sequence[int],
    scale: str,
    difference: str = "difference",
) -> Figure:
    """Maps of heads in a grid, all scores on one colour scale and all differences on another.

    `layers` are the numbers of the map's rows in the model; `scale` and `difference` say what their colours are.
    """

    n_layers, n_heads = rows[0][0].values.shape
    n_columns = max(len(row) for row in rows)
    map_height = min(max(0.13 * n_layers + 0.35, 0.85), 2.4)
    width = TWO_COLUMNS if n_columns > 1 or n_heads > 16 else 3.6
    figure = new_figure(width, len(rows) * map_height + 0.75)
    grid = figure.subplots(len(rows), n_columns, squeeze=False, sharex=True, sharey=True)
    drawn: dict[bool, tuple[object, list[Axes]]] = {}
    limits = {
        kind: _largest([item for row in rows for item in row if item.diverging == kind]) for kind in (False, True)
    }
    for row_number, row in enumerate(rows):
        for column in range(n_columns):
            axes = grid[row_number, column]
            if column >= len(row):
                axes.set_axis_off()
                continue
            item = row[column]
            bound = limits[item.diverging]
            image = axes.imshow(
                np.ma.masked_invalid(item.values),
                cmap=DIVERGING if item.diverging else SEQUENTIAL,
                vmin=-bound if item.diverging else 0.0,
                vmax=bound,
            )
            drawn.setdefault(item.diverging, (image, []))[1].append(axes)
            if row_number == 0:
                axes.set_title(_title(item.title, int(11 * width / n_columns)))
            _head_ticks(axes, layers, n_heads)
            _annotate(axes, item.values, bound, cell_inches=width / n_columns / n_heads)
            axes.set_xlabel("head" if row_number == len(rows) - 1 else "")
        grid[row_number, 0].set_ylabel("\n".join((*row_labels[row_number].split(), "layer")))
    for diverging, (image, axes_of_kind) in sorted(drawn.items()):
        label = difference if diverging else scale
        figure.colorbar(image, ax=axes_of_kind, location="bottom", shrink=0.8, aspect=40, label=label, pad=0.02)  # type: ignore[arg-type]
    return figure


def _title(text: str, letters: int) -> str:
    """A title over a narrow map: what does not fit on one line goes on several; only longer words are cut."""
    lines = text.split(" − ") if len(text) > letters else [text]
    return " −\n".join(
        textwrap.fill(" ".join(figure_text(w, letters - 2) for w in line.split()), letters) for line in lines
    )


def _largest(maps: Sequence[HeadMap]) -> float:

    finite = [np.abs(item.values[np.isfinite(item.values)]) for item in maps]
    return max((float(values.max()) for values in finite if values.size), default=1.0) or 1.0


def _head_ticks(axes: Axes, layers: Sequence[int], n_heads: int) -> None:
    head_step, layer_step = math.ceil(n_heads / 12), math.ceil(len(layers) / 12)
    axes.set_xticks(range(0, n_heads, head_step))
    axes.set_yticks(range(0, len(layers), layer_step), [str(layer) for layer in layers[::layer_step]])
    axes.spines[:].set_visible(True)


def _annotate(axes: Axes, values: np.ndarray, bound: float, cell_inches: float) -> None:
    """Write the values into cells that are wide enough for two digits."""
    if cell_inches < 0.24 or values.shape[0] > 8:
        return
    for layer, row in enumerate(values.tolist()):
        for head, value in enumerate(row):
            if not math.isfinite(value):
                continue
            dark = abs(value) / bound > 0.6
            axes.text(
                head, layer, short_share(value), ha="center", va="center", fontsize=5,
                color="white" if dark else "black",
            )  # fmt: skip


def short_share(value: float) -> str:
    """A number between -1 and 1 in three characters: `.07`, `−.3`, `1`."""
    text = f"{abs(value):.2f}"
    if text == "0.00":
        return "0"
    text = "1" if text == "1.00" else text.removeprefix("0")
    return f"−{text}" if value < 0 else text


_MOST_PLACES = 5
"""Decimals beyond which a power of ten is easier to read."""
_VALUES = "#333333"
"""Of written numbers: a mark's own colour may be too pale to be read."""
_LETTERS = 36
"""Of a row's label on one line."""


def row_label(text: str) -> str:
    """The label of a row, on two lines where it is long; only what does not fit on them either is cut."""
    return textwrap.fill(figure_text(text, 2 * _LETTERS), _LETTERS)


@dataclass(frozen=True)
class IntervalRow:
    """One mean with its interval in a forest plot, and a published value beside it where there is one."""

    label: str
    mean: float | int | None
    low: float | int | None
    high: float | int | None
    colour: str = COLOURS[0]
    marker: str = "o"
    reference: float | None = None
    each: tuple[float, ...] = ()
    """Values behind the mean that are too few for an interval, drawn as small hollow dots."""


def forest(axes: Axes, rows: Sequence[IntervalRow], x_label: str, digits: int = 2, shows_small: bool = False) -> None:
    """Means with 95 % intervals, one row each from the top; published values as hollow diamonds.

    Whole numbers are written whole. `shows_small`: a mean that `digits` decimals round to 0 is written with more.
    """
    for position, row in enumerate(rows):
        if row.mean is not None:
            axes.plot(row.mean, position, row.marker, color=row.colour)
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [position, position], color=row.colour, linewidth=1.2)
            axes.annotate(
                value_text(row.mean, row.low, row.high, digits, shows_small), (row.mean, position), xytext=(0, 4),
                textcoords="offset points", ha="center", va="bottom", fontsize=6, color=_VALUES,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            )  # fmt: skip
        if row.each:
            axes.plot(
                row.each, [position] * len(row.each), row.marker, color=row.colour, fillstyle="none", markersize=2.5
            )
        if row.reference is not None:
            axes.plot(row.reference, position, "D", markerfacecolor="none", markeredgecolor=QUIET, markersize=4.5)
    axes.set_ylim(len(rows) - 0.4, -0.7)
    axes.set_yticks(range(len(rows)), [row_label(row.label) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(x_label)
    axes.margins(x=0.12)


def value_text(
    mean: float | int,
    low: float | int | None = None,
    high: float | int | None = None,
    digits: int = 2,
    shows_small: bool = True,
) -> str:
    """A mean as it stands in a picture: 0.00014 and not 0.00, but 0.00 where its interval is far wider than it."""
    if isinstance(mean, int):
        return f"{mean:,}".replace("-", "−")
    widest = 0.0 if low is None or high is None else max(abs(low), abs(high))
    places = decimals(mean, widest, digits) if shows_small else digits
    return number(mean, digits) if places > _MOST_PLACES and round(mean, places) else fixed(mean, places)


def attention_map(axes: Axes, pattern: np.ndarray, tokens: Sequence[str], has_bos: bool, vmax: float) -> object:
    """One head's attention: queries down, keys across, both halves separated; tokens named where they fit."""

    n = len(tokens)
    seen = np.where(np.tril(np.ones((n, n), dtype=bool)), pattern, np.nan)
    image = axes.imshow(seen, cmap=SEQUENTIAL, vmin=0.0, vmax=vmax, aspect="equal")
    axes.spines[:].set_visible(True)
    start = int(has_bos)
    seq_len = (n - start) // 2
    boundary = start + seq_len - 0.5
    for draw in (axes.axvline, axes.axhline):
        draw(boundary, color=COLOURS[0], linewidth=0.5, linestyle=(0, (3, 2)))
    if n <= 14:
        names = [figure_text(token, 8) for token in tokens]
        axes.set_xticks(range(n), names, rotation=90, fontsize=4.5)
        axes.set_yticks(range(n), names, fontsize=4.5)
        axes.tick_params(length=0, pad=1)
    else:
        ticks = [start, start + seq_len, n - 1]
        axes.set_xticks(ticks, [str(tick - start) for tick in ticks], fontsize=5.5)
        axes.set_yticks(ticks, [str(tick - start) for tick in ticks], fontsize=5.5)
    return image
