"""A share against how often training showed the tokens, across models and seeds, where somebody counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.measure.intervals import wilson
from harness.reporting.display import DrawnFigure, PaperFigure
from harness.reporting.figures.families import colour_of, line_style_of, marker_of
from harness.reporting.figures.layout import NEVER_SHOWN, error_lengths, exposure_axis, legend_below
from harness.reporting.figures.style import ONE_COLUMN, new_figure
from harness.reporting.figures.text import figure_text, setting_text
from harness.runs.results.grouping import Setting, group_by_setting
from harness.runs.results.stored_run import StoredRun

_KINDS = {False: "natural tokens", True: "planted tokens"}
_APART = 1.06
"""Series of equal counts stand this factor apart, so that none hides another."""


@dataclass(frozen=True)
class Point:
    """A share of the tokens of one range of counts, and the mean of these counts."""

    count: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class ByExposures:
    """The rows of `details["by_exposures"]` of several runs as curves, natural and planted tokens apart."""

    name: str
    caption: str
    hits: str
    """What is counted in each row."""
    label: str

    @property
    def figures(self) -> tuple[PaperFigure, ...]:
        """For a display's `paper_figures`."""
        ends = (
            "Points stand at the mean count of a range (0 left of 1), with 95 % Wilson intervals; of several seeds "
            "shares and ends are averaged, since these hold the same tokens in part."
        )
        return (PaperFigure(self.name, f"{self.caption} {ends}", self.draw),)

    def draw(self, runs: Sequence[StoredRun]) -> DrawnFigure | None:
        """One curve a setting and kind of token; None where no run knows its training counts."""
        known = [run for run in runs if run.details.get("by_exposures")]
        settings = group_by_setting(known)
        if not settings:
            return None
        series = {
            self._series_name(setting, settings, planted): found
            for setting in settings
            for planted in _KINDS
            if (found := self.points(setting.runs, planted))
        }
        names = list(series)
        figure = new_figure(ONE_COLUMN, 2.3 + 0.13 * len(names))
        axes = figure.subplots()
        for number, (name, points) in enumerate(series.items()):
            place = _APART ** (number - (len(names) - 1) / 2)
            axes.errorbar(
                [max(point.count, NEVER_SHOWN) * place for point in points], [point.mean for point in points],
                yerr=error_lengths((point.mean, point.low, point.high) for point in points), capsize=1.5,
                color=colour_of(name, names), marker=marker_of(name, names), linestyle=line_style_of(name, names),
                label=figure_text(name, 60),
            )  # fmt: skip
        exposure_axis(axes, max(point.count for points in series.values() for point in points))
        axes.set_ylim(-0.04, 1.04)
        axes.set_ylabel(self.label)
        legend_below(figure, axes, 2)
        return DrawnFigure(figure, tuple(run for setting in settings for run in setting.runs))

    def _series_name(self, setting: Setting, settings: Sequence[Setting], planted: bool) -> str:
        model = setting.model if len({other.model for other in settings}) > 1 else ""
        parts = [model, setting_text(setting.other), setting.pools if len({s.pools for s in settings}) > 1 else ""]
        return ", ".join([*(part for part in parts if part), _KINDS[planted]])

    def points(self, runs: Sequence[StoredRun], planted: bool) -> list[Point]:
        """One point for each range of counts, by rising count, over the runs that have tokens there."""
        rows: dict[int, list[dict[str, Any]]] = {}
        for run in runs:
            for row in run.details["by_exposures"]:
                if bool(row["planted"]) is planted:
                    rows.setdefault(int(row["low"]), []).append(row)
        found = []
        for _, some in sorted(rows.items()):
            shares = [wilson(row[self.hits], row["n"]) for row in some]
            ends = np.array([(share.mean, share.low, share.high) for share in shares], dtype=float).mean(axis=0)
            found.append(Point(float(np.mean([row["mean"] for row in some])), *map(float, ends)))
        return found
