"""Pictures and tables across repeat_tokens runs: models by pools, seeds as intervals."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.repeat_tokens import data
from experiments.repeat_tokens.dose import draw_dose_response, model_shown
from experiments.repeat_tokens.figures import BESIDE, BESIDE_LABELS, MOST_CURVES
from experiments.repeat_tokens.quantities import QUANTITIES, Quantity, Shown, shown_in
from experiments.repeat_tokens.seeds import across_seeds, curve_across_seeds, pools_of_all
from experiments.repeat_tokens.tables import exposure_columns
from harness.reporting.display import PaperFigure, PaperTable
from harness.reporting.figures.charts import Curve, IntervalRow, draw_curve, forest, mark_halves
from harness.reporting.figures.families import can_be_told_apart, colour_of, line_style_of, marker_of, pool_title
from harness.reporting.figures.layout import fitting_columns, panels
from harness.reporting.figures.style import ONE_COLUMN, QUIET, TWO_COLUMNS, WARNING, new_figure, widest
from harness.reporting.figures.tables import HIGH, LOW
from harness.reporting.figures.text import figure_text, setting_text
from harness.reporting.pools import pools_shown
from harness.runs.results.grouping import FEWEST_SEEDS, Setting, group_by_setting
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import shorten

_LETTERS_BESIDE = 20
"""Of a name beside a row of the grid."""


def draw_grid(runs: Sequence[StoredRun]) -> Figure | None:
    """Log-prob against position: a row for each model, a column for each choice of pools."""
    groups = [group for group in _in_order(group_by_setting(runs)) if can_be_told_apart(pools_shown(group.runs[0]))]
    if not groups:
        return None

    names = pools_of_all([run for group in groups for run in group.runs])
    rows = list(dict.fromkeys((group.model, group.other) for group in groups))
    columns = list(dict.fromkeys(group.pools for group in groups))
    # A grid with holes, and one in a single column of the page, becomes panels one after another with own titles.
    is_grid = len(groups) == len(rows) * len(columns) and (len(columns) == 1 or widest() == TWO_COLUMNS)
    n_columns = len(columns) if is_grid else int(widest() // ONE_COLUMN)
    n_rows = math.ceil(len(groups) / n_columns)
    is_controlled = any(data.is_controlled(run) for group in groups for run in group.runs if not _is_crowded(group))
    legend_columns = 1 if n_columns == 1 and len(names) <= MOST_CURVES else 2
    legend_rows = math.ceil((len(names) + is_controlled * len(BESIDE_LABELS)) / legend_columns)
    width = ONE_COLUMN if n_columns == 1 else TWO_COLUMNS
    figure = new_figure(max(width, 1.7 * n_columns), 1.45 * n_rows + 0.5 + 0.13 * legend_rows)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes in grid.flat:
        axes.set_axis_off()
    letters = int(24 * (figure.get_figwidth() / n_columns) / 1.7)
    titles = _pools_titles(groups, letters)
    lowest = 0.0
    for number, group in enumerate(groups):
        row, column = divmod(number, n_columns)
        if is_grid:
            row, column = rows.index((group.model, group.other)), columns.index(group.pools)
        axes = grid[row, column]
        axes.set_axis_on()
        mark_halves(axes, data.seq_len(group.runs[0]), named=False)
        lowest = min(lowest, _draw_setting(axes, group, names))
        where = [part for part in (model_shown(group, groups), setting_text(group.other)) if part]
        if not is_grid:
            axes.set_title(_titled([*where, titles[group.pools]] if len(columns) > 1 else where, letters))
        elif row == 0 and len(columns) > 1:
            axes.set_title(titles[group.pools])
        if number + n_columns >= len(groups):
            axes.set_xlabel("position in the sequence (tokens)")
        if column == 0:
            axes.set_ylabel("\n".join([*(map(_wrapped, where) if is_grid else ()), "log-prob (nats)"]))
    # A band of a few seeds with few tokens at a position may be several times as wide as all curves lie apart.
    grid[0, 0].set_ylim(1.15 * lowest, max(0.5, -0.04 * lowest))
    if is_controlled:
        for dashes, label in BESIDE_LABELS.items():
            grid[0, 0].plot([], [], dashes, color=QUIET, linewidth=0.9, label=label)
    handles = {
        label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    shown = fitting_columns(figure, list(handles), legend_columns)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=shown)
    return figure


def _is_crowded(group: Setting) -> bool:
    """Whether there is room for the curves alone."""
    return len(pools_shown(group.runs[0])) > MOST_CURVES


def _titled(parts: Sequence[str], letters: int) -> str:
    """A panel's title, on as many lines as it takes."""
    return textwrap.fill(", ".join(figure_text(part, 2 * letters) for part in parts), letters)


def _is_default(group: Setting) -> bool:
    return all(spec == "auto" for spec in (group.runs[0].config.get("pools") or {}).values())


def _in_order(groups: Sequence[Setting]) -> list[Setting]:
    """Model by model, the question before other choices of pools."""
    return sorted(groups, key=lambda group: (group.model, group.other, not _is_default(group), group.pools))


def _pools_titles(groups: Sequence[Setting], letters: int) -> dict[str, str]:
    """What stands above each choice of pools: as typed where there is room, else the pools' names where those tell."""
    by_pools = {group.pools: group for group in groups}
    names = {pools: _named(pools_shown(group.runs[0])) for pools, group in by_pools.items()}
    titles = {}
    for pools, group in by_pools.items():
        is_own_name = list(names.values()).count(names[pools]) == 1
        typed = names[pools] if len(pools) > letters and is_own_name else pools
        titles[pools] = figure_text("default pools" if _is_default(group) else typed, letters)
    return titles


def _named(pools: Sequence[str]) -> str:
    return ", ".join(pools) if len(pools) <= MOST_CURVES else f"{len(pools)} pools"


def _wrapped(text: str) -> str:
    """A model's name beside its row, on two lines where it is longer than the row is high."""
    return textwrap.fill(figure_text(text, 2 * _LETTERS_BESIDE), _LETTERS_BESIDE)


def _draw_setting(axes: Axes, group: Setting, names: Sequence[str]) -> float:
    """Draw every pool's curve; the lowest value of any."""
    lowest, is_crowded = 0.0, _is_crowded(group)
    for pool in names:
        curve = curve_across_seeds(group, pool)
        if curve is None:
            continue
        mean, low, high = curve
        ends = (None, None) if is_crowded else (low, high)
        lowest = min(lowest, float(np.nanmin(mean, initial=0.0)))
        if 1 < len(group.runs) < FEWEST_SEEDS:
            for run in group.runs:
                axes.plot(run.arrays[f"{pool}/position/logprob_mean"], color=colour_of(pool, names), linewidth=0.4)
        draw_curve(
            axes,
            Curve(
                pool_title(pool), np.arange(len(mean)), mean, ends[0], ends[1],
                colour_of(pool, names), line_style_of(pool, names),
            ),
        )  # fmt: skip
        for beside, dashes in () if is_crowded else BESIDE.items():
            values = [found for run in group.runs if (found := run.arrays.get(f"{pool}/position/{beside}")) is not None]
            if values:
                places = len(mean) - len(values[0]) + np.arange(len(values[0]))
                axes.plot(places, np.mean(values, axis=0), dashes, color=colour_of(pool, names), linewidth=0.9)
    n = len(group.runs)
    axes.text(
        1.0,
        1.01,
        f"{n} seed{'s' * (n > 1)}",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=5.5,
        color=QUIET,
    )
    return lowest


def draw_forest(runs: Sequence[StoredRun]) -> Figure | None:
    """Copy effect and logit difference (copy gain where no run has a control), and copy accuracy, of every setting."""
    groups = _in_order(group_by_setting(runs))
    if not groups:
        return None

    names = pools_of_all([run for group in groups for run in group.runs])
    drawn: Sequence[Quantity] = shown_in(Shown.PICTURE)
    if not any(data.is_controlled(run) for run in runs):
        drawn = data.without_control(drawn)
    main = drawn[0].name
    rows: dict[str, list[IntervalRow]] = {quantity.name: [] for quantity in drawn}
    # What a pool is made of stands in the table; beside a model's name there is no room for it.
    shown = [(group.model, group.other, pool) for group in groups for pool in pools_shown(group.runs[0])]
    for group in groups:
        for pool in names:
            if pool not in pools_shown(group.runs[0]):
                continue
            where = ", ".join(part for part in (model_shown(group, groups), setting_text(group.other)) if part)
            if len(groups) == 1:
                words = data.pool_label(group.runs[0], pool)
            elif shown.count((group.model, group.other, pool)) > 1:
                words = f"{pool}={data.spec_text(group.runs[0].config['pools'][pool])}"
            else:
                words = pool_title(pool)
            label = f"{where}  {words}" if where else words
            found = {metric: across_seeds(group, pool, metric) for metric in rows}
            if not any(found.values()):
                continue
            for metric, value in found.items():
                rows[metric].append(
                    IntervalRow(
                        label,
                        value.mean if value else None,
                        value.low if value else None,
                        value.high if value else None,
                        colour_of(pool, names),
                        marker_of(pool, names),
                        value.published if value else None,
                    )
                )
    if not rows[main]:
        return None
    n_rows = len(rows[main])
    figure, both = panels(len(drawn), 0.65 + 0.27 * n_rows)
    for axes, quantity in zip(both, drawn, strict=True):
        forest(axes, rows[quantity.name], quantity.axis or quantity.label)
        if quantity.is_share:
            axes.set_xlim(-0.05, 1.05)
        else:
            axes.axvline(0, color=QUIET, linewidth=0.6, zorder=0)
    unmatched = sorted({run.model for run in runs if data.warning(run)})
    if unmatched:
        figure.suptitle(f"Caution: pools are not matched in {', '.join(unmatched)}", fontsize=7, color=WARNING)
    if any(row.reference is not None for row in rows[main]):
        named = {data.published_name(run) for group in groups for run in group.runs if data.published(run)}
        label = named.pop() if len(named) == 1 else "published"
        both[0].plot([], [], "D", markerfacecolor="none", markeredgecolor=QUIET, markersize=4.5, label=label)
        figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center")
    return figure


def metrics_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """Every mean by model, pools and pool, with its interval and the number of seeds."""
    groups = _in_order(group_by_setting(runs))
    rows = []
    for group in groups:
        for pool in pools_of_all(group.runs):
            words = shorten(data.pool_words(group.runs[0], pool), 60)
            row: dict[str, object] = {"model": group.model, "pool": pool, "tokens": words, "setting": group.other}
            sizes = [n for run in group.runs if (n := run.metrics.get(f"{pool}/n_tokens_told_apart")) is not None]
            row["n"] = int(np.median(sizes)) if sizes else None
            counts = [found for run in group.runs if (found := data.exposures_of(run, pool)) is not None]
            if counts:
                row |= exposure_columns({name: float(np.mean([some[name] for some in counts])) for name in counts[0]})
            for quantity in shown_in(Shown.PAPER):
                value = across_seeds(group, pool, quantity.name)
                column = quantity.label
                row |= {
                    column: value.mean if value else None,
                    f"{column}{LOW}": value.low if value else None,
                    f"{column}{HIGH}": value.high if value else None,
                }
                if value is not None and value.published is not None:
                    row[f"{column}, published"] = value.published
            row["seeds"] = len(group.runs)
            rows.append(row)
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    return frame if any(group.other for group in groups) else frame.drop(columns="setting")


def published_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """Every published figure beside what was measured on the same ids, one row each; None where none was published."""
    rows = []
    for group in _in_order(group_by_setting(runs)):
        first = group.runs[0]
        for pool in pools_of_all(group.runs):
            for quantity in QUANTITIES:
                value = across_seeds(group, pool, quantity.name)
                if value is None or value.published is None:
                    continue
                rows.append(
                    {
                        "model": group.model,
                        "draws": first.details.get("draws", "replacement"),
                        "pool": data.pool_label(first, pool),
                        "quantity": quantity.label,
                        "published": value.published,
                        "measured": value.mean,
                        f"measured{LOW}": value.low,
                        f"measured{HIGH}": value.high,
                        "measured minus published": value.mean - value.published,
                        "seeds": value.n_seeds,
                        "published for": str((first.config.get("reference") or {}).get("condition", "")),
                    }
                )
    return pd.DataFrame(rows) if rows else None


def heads_table(runs: Sequence[StoredRun]) -> pd.DataFrame | None:
    """The head with the highest score of every kind by model, pools and pool; None where no model attends."""
    rows = []
    for group in _in_order(group_by_setting(runs)):
        for pool in pools_of_all(group.runs):
            row: dict[str, object] = {"model": group.model, "pool": pool, "setting": group.other}
            for score, words in data.SCORES.items():
                value = across_seeds(group, pool, f"{score}_score_max")
                if value is None:
                    continue
                named = (run.metrics.get(f"{pool}/{score}_head") for run in group.runs)
                row |= {
                    f"{words}, head": " ".join(dict.fromkeys(str(head) for head in named if head is not None)),
                    f"{words} score": value.mean,
                    f"{words} score{LOW}": value.low,
                    f"{words} score{HIGH}": value.high,
                }
            if len(row) > 3:
                rows.append({**row, "seeds": len(group.runs)})
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    return frame if any(frame["setting"]) else frame.drop(columns="setting")


_BANDS = (
    "Intervals are 95 %, clustered by token and by sequence, their ends averaged over seeds, which draw other orders "
    "of the same tokens. Bands are 95 % over seeds where there are several, over sequences where there is one."
)

PAPER_FIGURES = (
    PaperFigure(
        "logprob_grid",
        "Log-prob of each token against its position, a row for each model, a column for each choice of pools (panels "
        f"of their own where that would leave holes); the shaded second half repeats the first. {_BANDS} Two seeds "
        "are drawn as two thin lines instead of a band. Bands may reach beyond the axis. Dotted: the second half after "
        "another first half; dash-dotted: what another token of the pool, which did not occur, gets in its place. Of "
        "more than eight pools the means alone are drawn, doses the darker the higher.",
        draw_grid,
    ),
    PaperFigure(
        "copy_forest",
        "Copy effect (log-prob of the second half after its own first half minus after another; copy gain where no run "
        f"has a control) and copy accuracy by model and pool. {_BANDS} Diamonds are published values.",
        draw_forest,
    ),
    PaperFigure(
        "dose_response",
        "Copy accuracy, copy effect and logit difference against how often training showed the tokens of a pool, from "
        "pools given by training counts, each at the mean count of its own tokens (0 stands left of 1). Planted tokens "
        "had their count assigned at random; natural ones have the corpus's, spread otherwise over text, repeated "
        f"sequences and tasks. {_BANDS}",
        draw_dose_response,
    ),
)
PAPER_TABLES = (
    PaperTable(
        "heads",
        "The heads that look most from the second half to the token after the earlier copy (induction), to the token "
        "before, and to the earlier copy: layer.head, one for each seed where they differ, and mean attention. "
        f"{_BANDS}",
        heads_table,
    ),
    PaperTable(
        "published",
        "Published figures beside those measured on the same ids, once drawn with replacement as they were published, "
        f"once matched and beside a control. {_BANDS}",
        published_table,
    ),
    PaperTable(
        "metrics",
        "Copy effect, accuracy, log-probs and copy gain by model and pool; n: different tokens measured (median over "
        f"seeds); where training counts are known, how often these were shown. {_BANDS}",
        metrics_table,
    ),
)
