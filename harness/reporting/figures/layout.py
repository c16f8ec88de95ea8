"""Parts of a picture that many have: a legend below, a forest of rows, an axis of training counts."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.reporting.figures.charts import IntervalRow, forest
from harness.reporting.figures.style import TWO_COLUMNS, new_figure, widest

NEVER_SHOWN = 0.35
"""Where a count of 0 stands on a logarithmic axis."""
_LETTER_INCHES, _HANDLE_INCHES = 0.05, 0.35
"""Of a legend: an average letter, and what stands before each label."""
_COUNTS = (1, 10, 100, 1000, 10_000, 100_000)


def panels(n: int, height: float, share_rows: bool = True) -> tuple[Figure, list[Axes]]:
    """A picture across runs with `n` panels of `height` inches: side by side, in one column one above another.

    `share_rows`: the rows' names stand at the left of each line of panels only.
    """
    width = widest()
    if width < TWO_COLUMNS:
        figure = new_figure(width, n * height)
        return figure, list(figure.subplots(n, 1, squeeze=False)[:, 0])
    figure = new_figure(width, height)
    return figure, list(figure.subplots(1, n, squeeze=False, sharey=share_rows)[0])


def legend_below(figure: Figure, axes: Axes, columns: int = 1) -> None:
    """What is drawn in `axes`, named below the whole picture, in at most so many columns as fit its width."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=fitting_columns(figure, labels, columns))


def fitting_columns(figure: Figure, labels: Sequence[str], most: int) -> int:
    """Columns of a legend that the picture has room for."""
    for columns in range(min(most, len(labels)), 1, -1):
        high = -(-len(labels) // columns)
        widest_of_each = (max(map(len, labels[at : at + high])) for at in range(0, len(labels), high))
        if sum(_HANDLE_INCHES + _LETTER_INCHES * letters for letters in widest_of_each) <= figure.get_figwidth():
            return columns
    return 1


def name_rows(axes: Axes, names: Sequence[str], below: float = 0.4, above: float = 0.6) -> None:
    """Rows 0, 1, ... from the top, named, with some room (in rows) around the last and the first."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - below, -above)
    axes.tick_params(axis="y", length=0)


def forest_figure(rows: Sequence[IntervalRow], x_label: str, width: float, row_height: float) -> tuple[Figure, Axes]:
    """A picture that is one forest of shares, as high (inches) as its rows need."""
    figure = new_figure(width, 0.7 + row_height * len(rows))
    axes = figure.subplots()
    forest(axes, rows, x_label)
    return figure, axes


def error_lengths(
    values: Iterable[tuple[float, float | None, float | None]],
) -> tuple[list[float], list[float]]:
    """How far each interval reaches below and above its mean, 0 where there is none: what `errorbar` asks for."""
    rows = list(values)
    below = [0.0 if low is None else max(0.0, mean - low) for mean, low, _ in rows]
    above = [0.0 if high is None else max(0.0, high - mean) for mean, _, high in rows]
    return below, above


def exposure_axis(axes: Axes, largest: float, most: int = _COUNTS[-1]) -> None:
    """A logarithmic axis of how often training showed a token, with a place for 0.

    Counts are named up to three times `largest`, the largest that is drawn, and up to `most`.
    """
    axes.set_xscale("log")
    ticks = [NEVER_SHOWN, *(count for count in _COUNTS if count <= min(most, 3 * max(largest, 1)))]
    axes.set_xticks(ticks, ["0", *(f"{count:,}" for count in ticks[1:])])
    axes.minorticks_off()
    axes.set_xlabel("times shown in training")
