"""An experiment's main numbers across models and seeds: one picture of means with intervals, and its table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.measure.intervals import student_t
from harness.reporting.display import DrawnFigure, PaperFigure, PaperTable
from harness.reporting.figures.charts import IntervalRow, forest
from harness.reporting.figures.style import COLOURS, TWO_COLUMNS, colour_of, new_figure
from harness.reporting.figures.tables import interval_columns
from harness.runs.results.grouping import Setting, group_by_setting
from harness.runs.results.stored_run import StoredRun

_ROW_INCHES, _FRAME_INCHES = 0.24, 0.75
_SEEDS = "Points are means: of one run with its own 95 % interval, of several seeds with Student's t over them."


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
    is_share: bool = True
    """Whether its axis is that of a share, 0 to 1."""


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
        shown = [one for one in self.quantities if any(row.values[one.label][0] is not None for row in rows)]
        if not shown:
            return None
        names = list(dict.fromkeys(row.colour_name for row in rows))
        labels = _labels(rows)
        figure = new_figure(TWO_COLUMNS, _FRAME_INCHES + _ROW_INCHES * len(rows))
        grid = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        for axes, quantity in zip(grid, shown, strict=True):
            found = [
                IntervalRow(label, *row.values[quantity.label], colour=_colour(row.colour_name, names))
                for label, row in zip(labels, rows, strict=True)
            ]
            forest(axes, found, quantity.label)
            if quantity.is_share:
                values = [value for row in rows for value in row.values[quantity.label] if value is not None]
                axes.set_xlim(min(-0.05, *values), max(1.05, *values))
        drawn = {run.run_id: run for row in rows for run in row.setting.runs}
        return DrawnFigure(figure, tuple(drawn.values()))

    def build(self, runs: Sequence[StoredRun]) -> pd.DataFrame | None:
        """A row for each of the picture's; None where no run has any of the quantities."""
        rows = self._rows(runs)
        if not any(value[0] is not None for row in rows for value in row.values.values()):
            return None
        built: list[dict[str, Any]] = []
        for row in rows:
            setting = {"model": row.setting.model, "setting": row.setting.other, "of": row.part.label}
            cells: dict[str, Any] = {**setting, "runs": len(row.setting.runs)}
            for label, value in row.values.items():
                cells |= interval_columns(label, value)
            built.append(cells)
        frame = pd.DataFrame(built)
        return frame.drop(columns=[name for name in ("model", "setting", "of") if not frame[name].any()])

    def _rows(self, runs: Sequence[StoredRun]) -> list["_Row"]:
        settings = group_by_setting(runs)
        return [
            _Row(setting, part, {one.label: _over_seeds(setting.runs, part, one) for one in self.quantities})
            for setting in settings
            for part in self.parts(setting.runs[0])
        ]


@dataclass(frozen=True)
class _Row:
    setting: Setting
    part: Part
    values: dict[str, tuple[float | None, float | None, float | None]]

    @property
    def colour_name(self) -> str:
        return self.part.label or self.setting.model


def _colour(name: str, names: Sequence[str]) -> str:
    # More than there are colours would repeat: then colour says nothing, and rows are told by their names.
    return colour_of(name, names) if len(names) <= len(COLOURS) else COLOURS[1]


def _labels(rows: Sequence[_Row]) -> list[str]:
    """What tells a row from the others; what all have in common is left out."""
    columns = [[row.part.label for row in rows], [row.setting.model for row in rows]]
    columns.append([row.setting.other for row in rows])
    if not any(columns[0]):
        columns.append([row.setting.pools for row in rows])
    telling = [column for column in columns if len(set(column)) > 1]
    labels = [", ".join(text for text in texts if text) for texts in zip(*telling, strict=True)] if telling else []
    return labels or [row.part.label or row.setting.model for row in rows]


def _over_seeds(
    runs: Sequence[StoredRun], part: Part, quantity: Quantity
) -> tuple[float | None, float | None, float | None]:
    """(mean, low, high) of a metric: a single run's own interval, or Student t over the means of several."""
    key = part.before + quantity.key.format(part=part.key)
    found = [run for run in runs if isinstance(run.metrics.get(key), int | float)]
    if not found:
        return None, None, None
    if len(found) == 1:
        mean, low, high = found[0].interval(key)
        return float(mean), None if low is None else float(low), None if high is None else float(high)
    interval = student_t(np.array([float(run.metrics[key]) for run in found]))
    return interval.mean, interval.low, interval.high
