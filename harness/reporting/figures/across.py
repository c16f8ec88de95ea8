"""An experiment's main numbers across models and seeds: one picture of means with intervals, and its table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.measure.intervals import student_t
from harness.reporting.display import DrawnFigure, PaperFigure, PaperTable
from harness.reporting.figures.charts import IntervalRow, forest
from harness.reporting.figures.families import colour_of, marker_of, pool_title
from harness.reporting.figures.layout import panels
from harness.reporting.figures.style import COLOURS, QUIET
from harness.reporting.figures.tables import interval_columns
from harness.reporting.figures.text import setting_text
from harness.runs.results.grouping import FEWEST_SEEDS, Setting, group_by_setting
from harness.runs.results.stored_run import StoredRun

_WHOLE_FROM = 10
"""Means from which one decimal is enough."""
_NAMED_POOLS = 4
"""Of one setting that have room beside a row."""
_NOTHING = 0.01
"""Differences below this are not magnified: they may be rounding errors."""
_ROW_INCHES, _FRAME_INCHES = 0.24, 0.62
_SEEDS = (
    "Points are means: of one run with its own 95 % interval, of three seeds and more with Student's t over them; two "
    "seeds are drawn as hollow points beside their mean."
)


class Scale(Enum):
    """What a quantity's axis looks like."""

    SHARE = "share"
    """From 0 to 1."""
    FROM_ZERO = "from zero"
    """From 0 to the largest there is: counts, and shares that are all small."""
    DIFFERENCE = "difference"
    """On both sides of 0."""


@dataclass(frozen=True)
class Part:
    """What has a row of its own within a run: a pool, a method, an arm."""

    key: str
    """Takes the place of `{part}` in a quantity's key."""
    label: str
    before: str = ""
    """Stands in front of every key."""


@dataclass(frozen=True)
class Quantity:
    """A metric that has a column of its own."""

    key: str
    """In metrics.json, with `{part}` for the part's key."""
    label: str
    scale: Scale = Scale.SHARE


def _whole(_: StoredRun) -> Sequence[Part]:
    return (Part("", ""),)


@dataclass(frozen=True)
class Across:
    """Rows are settings (runs that differ by their seed only) and their parts; columns are quantities."""

    name: str
    caption: str
    quantities: tuple[Quantity, ...]
    parts: Callable[[StoredRun], Sequence[Part]] = _whole

    @property
    def figures(self) -> tuple[PaperFigure, ...]:
        """For a display's `paper_figures`."""
        return (PaperFigure(self.name, f"{self.caption} {_SEEDS}", self.draw),)

    @property
    def tables(self) -> tuple[PaperTable, ...]:
        """For a display's `paper_tables`."""
        return (PaperTable(self.name, f"{self.caption} {_SEEDS}", self.build),)

    def draw(self, runs: Sequence[StoredRun]) -> DrawnFigure | None:
        """One panel a quantity, its rows aligned with those of the others; None where no run has any of them."""
        rows = self._rows(runs)
        shown = [one for one in self.quantities if any(row.values[one.label].mean is not None for row in rows)]
        if not shown:
            return None
        names = list(dict.fromkeys(row.family for row in rows))
        labels = _labels(rows)
        figure, grid = panels(len(shown), _FRAME_INCHES + _ROW_INCHES * len(rows))
        for axes, quantity in zip(grid, shown, strict=True):
            found = [
                replace(
                    row.values[quantity.label], label=label, colour=_colour(row.family, names),
                    marker=marker_of(row.family, names),
                )
                for label, row in zip(labels, rows, strict=True)
            ]  # fmt: skip
            digits = 1 if max(row.mean or 0 for row in found) >= _WHOLE_FROM else 2
            forest(axes, found, quantity.label, digits, shows_small=quantity.scale is not Scale.DIFFERENCE)
            _scale(axes, quantity.scale, found)
        drawn = {run.run_id: run for row in rows for run in row.setting.runs}
        return DrawnFigure(figure, tuple(drawn.values()))

    def build(self, runs: Sequence[StoredRun]) -> pd.DataFrame | None:
        """A row for each of the picture's; None where no run has any of the quantities."""
        rows = self._rows(runs)
        if not any(value.mean is not None for row in rows for value in row.values.values()):
            return None
        built: list[dict[str, Any]] = []
        for row in rows:
            setting = {"model": row.setting.model, "setting": row.setting.other, "of": row.part.label}
            cells: dict[str, Any] = {**setting, "runs": len(row.setting.runs)}
            for label, value in row.values.items():
                cells |= interval_columns(label, (value.mean, value.low, value.high))
            built.append(cells)
        frame = pd.DataFrame(built)
        return frame.drop(columns=[name for name in ("model", "setting", "of") if not frame[name].any()])

    def _rows(self, runs: Sequence[StoredRun]) -> list["_Row"]:
        settings = group_by_setting(runs)
        return [
            _Row(setting, part, {one.label: over_seeds(setting.runs, part, one) for one in self.quantities})
            for setting in settings
            for part in self.parts(setting.runs[0])
        ]


@dataclass(frozen=True)
class _Row:
    setting: Setting
    part: Part
    values: dict[str, IntervalRow]

    @property
    def family(self) -> str:
        """What its colour stands for."""
        return self.part.label or self.setting.model


def _colour(name: str, names: Sequence[str]) -> str:
    # More than there are colours would repeat: then colour says nothing, and rows are told by their names.
    return colour_of(name, names) if len(names) <= len(COLOURS) else COLOURS[1]


def _scale(axes: Axes, scale: Scale, rows: Sequence[IntervalRow]) -> None:
    """Axes that start where the quantity does: around a single point they would be a lens."""
    values = [value for row in rows for value in (row.mean, row.low, row.high, *row.each) if value is not None]
    low, high = min(values), max(values)
    if scale is Scale.SHARE:
        axes.set_xlim(min(-0.05, low), max(1.05, high))
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        return
    if scale is Scale.FROM_ZERO:
        top = high or 1.0
        axes.set_xlim(-0.05 * top, 1.15 * top)
    else:
        reach = max(abs(low), abs(high), _NOTHING)
        axes.axvline(0, color=QUIET, linewidth=0.6, zorder=0)
        axes.set_xlim(min(low, 0) - 0.15 * reach, max(high, 0) + 0.15 * reach)
    are_counts = all(isinstance(row.mean, int) for row in rows if row.mean is not None)
    axes.locator_params(axis="x", nbins=4, integer=are_counts)


def _labels(rows: Sequence[_Row]) -> list[str]:
    """What tells a row from the others; what all have in common is left out."""
    columns = [[pool_title(row.part.label) for row in rows], [row.setting.model for row in rows]]
    columns.append([setting_text(row.setting.other) for row in rows])
    if not any(columns[0]):
        columns.append(_pools_words([row.setting for row in rows]))
    telling = [column for column in columns if len(set(column)) > 1]
    labels = [", ".join(text for text in texts if text) for texts in zip(*telling, strict=True)] if telling else []
    return labels or [row.part.label or row.setting.model for row in rows]


def _pools_words(settings: Sequence[Setting]) -> list[str]:
    """The names of each setting's pools where these tell settings apart, else how they were given."""
    names = [list(setting.runs[0].config.get("pools") or {}) for setting in settings]
    words = [", ".join(some) if len(some) <= _NAMED_POOLS else f"{len(some)} pools" for some in names]
    given = [setting.pools for setting in settings]
    return words if len(set(words)) == len(set(given)) else given


def over_seeds(runs: Sequence[StoredRun], part: Part, quantity: Quantity) -> IntervalRow:
    """A metric's mean: a single run with its own interval, of several Student's t over their means.

    Shares and what starts at 0 end there; two seeds have no interval but stand side by side.
    """
    key = part.before + quantity.key.format(part=part.key)
    found = [run for run in runs if isinstance(run.metrics.get(key), int | float)]
    if len(found) < 2:
        return IntervalRow("", *(found[0].interval(key) if found else (None, None, None)))
    values = [run.metrics[key] for run in found]
    if len(set(values)) == 1 and isinstance(values[0], int):
        # The same count every time: no fraction of a token.
        return IntervalRow("", values[0], None, None)
    interval = student_t(np.array(values, dtype=np.float64))
    if len(values) < FEWEST_SEEDS or interval.low is None or interval.high is None:
        return IntervalRow("", interval.mean, None, None, each=tuple(map(float, values)))
    low = interval.low if quantity.scale is Scale.DIFFERENCE else max(0.0, interval.low)
    high = min(1.0, interval.high) if quantity.scale is Scale.SHARE else interval.high
    return IntervalRow("", interval.mean, low, high)
