"""How copying depends on how often training showed a token, where somebody counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from experiments.repeat_tokens import data
from experiments.repeat_tokens.quantities import Shown, shown_in
from experiments.repeat_tokens.seeds import AcrossSeeds, across_seeds
from harness.reporting.display import DrawnFigure
from harness.reporting.figures.families import colour_of, line_style_of, marker_of
from harness.reporting.figures.layout import NEVER_SHOWN, exposure_axis, legend_below, panels
from harness.reporting.figures.style import QUIET
from harness.reporting.figures.text import figure_text, setting_text
from harness.reporting.pools import pools_shown
from harness.runs.results.grouping import Setting, group_by_setting
from harness.runs.results.stored_run import StoredRun

FEWEST_DOSES = 3

_GROUPS = {"natural": "natural tokens", "planted": "planted tokens", "exposures": ""}
"""Rules that choose tokens by training counts, and what their tokens are called in a legend."""
_APART = 1.05
"""Groups of equal counts stand this factor left and right of them, so that neither hides the other."""


@dataclass(frozen=True)
class Dose:
    """What training showed of the tokens measured: their own counts, not the bounds by which they were chosen."""

    mean: float
    """Over appearances, as what was measured is."""
    low: int
    high: int


@dataclass(frozen=True)
class Point:
    """What was measured at a dose, and the runs it is from."""

    dose: Dose
    value: AcrossSeeds
    group: Setting


def dose_of(setting: Setting, pool: str) -> Dose | None:
    """The counts of the tokens of a pool, mean over seeds; None where nobody counted or it was chosen another way."""
    if data.rule_of(setting.runs[0], pool) not in _GROUPS:
        return None
    found = [counts for run in setting.runs if (counts := data.exposures_of(run, pool)) is not None]
    if not found:
        return None
    return Dose(
        float(np.mean([counts["mean"] for counts in found])),
        int(min(counts["low"] for counts in found)),
        int(max(counts["high"] for counts in found)),
    )


def doses(groups: Sequence[Setting], metric: str) -> dict[str, dict[str, Point]]:
    """Per model, setting and kind of token, the metric of every pool; of one pool measured twice the first."""
    found: dict[str, dict[str, Point]] = {}
    for group in groups:
        for pool in pools_shown(group.runs[0]):
            dose, value = dose_of(group, pool), across_seeds(group, pool, metric)
            if dose is not None and value is not None:
                spec = data.spec_text(group.runs[0].details["pools"][pool]["spec"])
                kind = _GROUPS[data.rule_of(group.runs[0], pool)]
                where = ", ".join(part for part in (model_shown(group, groups), setting_text(group.other)) if part)
                name = f"{where}: {kind}" if where and kind else where or kind or group.model
                found.setdefault(name, {}).setdefault(spec, Point(dose, value, group))
    return {name: values for name, values in found.items() if len(values) >= FEWEST_DOSES}


def draw_dose_response(runs: Sequence[StoredRun]) -> DrawnFigure | None:
    """Copy accuracy and copy effect against exposures; None with fewer than three doses of any kind of token."""
    groups = group_by_setting(runs)
    drawn = sorted(shown_in(Shown.PICTURE), key=lambda quantity: not quantity.is_share)
    series = {quantity.name: doses(groups, quantity.name) for quantity in drawn}
    if not series["copy_accuracy"]:
        return None

    names = list(series["copy_accuracy"])
    figure, grid = panels(len(drawn), 2.0, share_rows=False)
    largest = max(point.dose.mean for points in series["copy_accuracy"].values() for point in points.values())
    for axes, quantity in zip(grid, drawn, strict=True):
        for name, values in series[quantity.name].items():
            _draw_series(axes, name, names, values)
        exposure_axis(axes, largest)
        axes.set_xlabel("times shown in training (mean)")
        axes.set_ylabel(quantity.label)
        if quantity.is_share:
            axes.set_ylim(-0.03, 1.03)
        else:
            axes.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
    legend_below(figure, grid[0], 2)
    shown = [point.group for points in series["copy_accuracy"].values() for point in points.values()]
    return DrawnFigure(figure, tuple(run for group in groups if group in shown for run in group.runs))


def model_shown(group: Setting, groups: Sequence[Setting]) -> str:
    """The model's name where several are in the picture; else it says nothing."""
    return group.model if len({other.model for other in groups}) > 1 else ""


def _draw_series(axes: Axes, name: str, names: Sequence[str], values: Mapping[str, Point]) -> None:
    ordered = sorted(values.values(), key=lambda point: point.dose.mean)
    place = names.index(name) - (len(names) - 1) / 2
    x = [max(point.dose.mean, NEVER_SHOWN) * _APART**place for point in ordered]
    colour = colour_of(name, names)
    axes.plot(
        x, [point.value.mean for point in ordered], marker=marker_of(name, names),
        linestyle=line_style_of(name, names), color=colour, label=figure_text(name, 40),
    )  # fmt: skip
    for at, point in zip(x, ordered, strict=True):
        value = point.value
        if value.low is not None and value.high is not None:
            axes.plot([at, at], [value.low, value.high], color=colour, linewidth=0.8)
