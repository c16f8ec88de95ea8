"""How copying depends on how often training showed a token, where somebody counted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from experiments.repeat_tokens.quantities import Shown, shown_in
from experiments.repeat_tokens.seeds import AcrossSeeds, across_seeds
from harness.reporting.display import DrawnFigure
from harness.reporting.figures.style import QUIET, TWO_COLUMNS, colour_of, line_style_of, marker_of, new_figure
from harness.reporting.figures.text import figure_text
from harness.reporting.pools import pools_shown
from harness.runs.results.grouping import Setting, group_by_setting
from harness.runs.results.stored_run import StoredRun

FEWEST_DOSES = 3


@dataclass(frozen=True)
class Dose:
    """A range of training counts; `high` is the last count inside, None without an upper bound."""

    low: int
    high: int | None

    @property
    def middle(self) -> float:
        """Where it stands on a logarithmic axis."""
        if self.low == 0 or self.high is None:
            return float(self.low)
        return float((self.low * self.high) ** 0.5)


@dataclass(frozen=True)
class Point:
    """What was measured at a dose, and the runs it is from."""

    value: AcrossSeeds
    group: Setting


def dose_of(run: StoredRun, pool: str) -> Dose | None:
    """The dose of a pool given as `exposures:LOW:HIGH`; None for any other."""
    match = re.fullmatch(r"exposures:(\d*):(\d*)", str(run.details["pools"][pool].get("spec", "")))
    if match is None:
        return None
    return Dose(int(match[1] or 0), int(match[2]) - 1 if match[2] else None)


def doses(groups: Sequence[Setting], metric: str) -> dict[str, dict[Dose, Point]]:
    """Per model and setting, the metric at every dose; of one dose measured twice the first."""
    found: dict[str, dict[Dose, Point]] = {}
    for group in groups:
        for pool in pools_shown(group.runs[0]):
            dose, value = dose_of(group.runs[0], pool), across_seeds(group, pool, metric)
            if dose is not None and value is not None:
                found.setdefault(_series_name(group), {}).setdefault(dose, Point(value, group))
    return {name: values for name, values in found.items() if len(values) >= FEWEST_DOSES}


def draw_dose_response(runs: Sequence[StoredRun]) -> DrawnFigure | None:
    """Copy accuracy and copy effect against exposures; None with fewer than three doses of any model."""
    groups = group_by_setting(runs)
    drawn = sorted(shown_in(Shown.PICTURE), key=lambda quantity: not quantity.is_share)
    series = {quantity.name: doses(groups, quantity.name) for quantity in drawn}
    if not series["copy_accuracy"]:
        return None

    names = list(series["copy_accuracy"])
    figure = new_figure(TWO_COLUMNS, 2.4 + 0.14 * (len(names) // 2))
    for axes, quantity in zip(figure.subplots(1, len(drawn)), drawn, strict=True):
        for name, values in series[quantity.name].items():
            _draw_series(axes, name, names, values)
        axes.set_xscale("symlog", linthresh=1, linscale=0.6)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlim(left=-0.25)
        axes.set_xlabel("exposures in training")
        axes.set_ylabel(quantity.label)
        if quantity.is_share:
            axes.set_ylim(-0.03, 1.03)
        else:
            axes.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    shown = [point.group for points in series["copy_accuracy"].values() for point in points.values()]
    return DrawnFigure(figure, tuple(run for group in groups if group in shown for run in group.runs))


def _series_name(group: Setting) -> str:
    return " ".join(part for part in (group.model, group.other) if part)


def _draw_series(axes: Axes, name: str, names: Sequence[str], values: dict[Dose, Point]) -> None:
    ordered = sorted(values.items(), key=lambda item: item[0].middle)
    colour = colour_of(name, names)
    axes.plot(
        [dose.middle for dose, _ in ordered],
        [point.value.mean for _, point in ordered],
        marker=marker_of(name, names),
        linestyle=line_style_of(name, names),
        color=colour,
        label=figure_text(name, 40),
    )
    for dose, point in ordered:
        value = point.value
        if dose.high is not None and dose.high > dose.low:
            axes.plot([dose.low, dose.high], [value.mean, value.mean], color=colour, linewidth=0.6, alpha=0.6)
        if value.low is not None and value.high is not None:
            axes.plot([dose.middle, dose.middle], [value.low, value.high], color=colour, linewidth=0.8)
