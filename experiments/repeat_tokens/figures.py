"""Pictures of one repeat_tokens run, from its stored files."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.repeat_tokens import data
from experiments.repeat_tokens.dose import draw_dose_response
from harness.reporting.display import AttentionPanel, Canvas, ColouredText, Figure
from harness.reporting.figures.charts import (
    Curve,
    HeadMap,
    IntervalRow,
    attention_map,
    draw_curve,
    forest,
    head_map_grid,
    mark_halves,
)
from harness.reporting.figures.families import can_be_told_apart, colour_of, line_style_of, pool_title
from harness.reporting.figures.layout import legend_below, name_rows
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, WARNING, new_figure
from harness.reporting.figures.text import figure_text
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

_NAMED = 4
_TOP = 0.6
"""Of an axis of log-probs, in nats: none is above 0."""

BESIDE = {"logprob_control_mean": ":", "logprob_foil_mean": "-."}
"""Curves of the second half beside its log-prob, and how they are dashed."""
BESIDE_LABELS = {
    ":": "second half after another first half (control)",
    "-.": "another token of the pool in its place (foil)",
}

MOST_CURVES = len(COLOURS)
"""Pools that have room for bands, controls and columns in one picture; of more only the curves are drawn."""

MOST_HEADS = 4
"""Columns of a picture of heads; the report shows all that were kept."""


def draw_logprob(run: StoredRun) -> MatplotlibFigure | None:
    """Log-prob against position, a curve for each pool."""
    if not can_be_told_apart(pools_shown(run)):
        return None
    n_lines = len(pools_shown(run)) + bool(data.published(run)) + 2 * data.is_controlled(run)
    figure = new_figure(height=2.2 + 0.14 * (n_lines if n_lines <= MOST_CURVES else n_lines / 2))
    axes = figure.subplots()
    draw_logprob_axes(axes, run)
    legend_below(figure, axes, 1 if n_lines <= MOST_CURVES else 2)
    return figure


def draw_logprob_axes(axes: Axes, run: StoredRun) -> None:
    """The picture of `draw_logprob` inside given axes."""
    names = pools_shown(run)
    length = data.seq_len(run)
    mark_halves(axes, length)
    shown_published, is_crowded = False, len(names) > MOST_CURVES
    for pool in names:
        mean, low, high = (data.position(run, pool, f"logprob_{part}") for part in ("mean", "low", "high"))
        if mean is None:
            continue
        if is_crowded:
            low = high = None
        curve = Curve(
            data.pool_label(run, pool), np.arange(len(mean)), mean, low, high,
            colour_of(pool, names), line_style_of(pool, names),
        )  # fmt: skip
        draw_curve(axes, curve)
        for beside, dashes in () if is_crowded else BESIDE.items():
            values = run.arrays.get(f"{pool}/position/{beside}")
            if values is not None:
                axes.plot(length + np.arange(length), values, dashes, color=colour_of(pool, names), linewidth=1.0)
        for half, name in enumerate(data.HALVES):
            value = data.measured(run, pool, name).published
            if value is None:
                continue
            ends = [half * length - 0.5, (half + 1) * length - 0.5]
            axes.plot(ends, [value, value], "--", color=colour_of(pool, names), linewidth=1.0)
            shown_published = True
    if data.is_controlled(run) and not is_crowded:
        for dashes, label in BESIDE_LABELS.items():
            axes.plot([], [], dashes, color=QUIET, linewidth=1.0, label=label)
    if shown_published:
        axes.plot([], [], "--", color=QUIET, linewidth=1.0, label=f"{data.published_name(run)}, mean of each half")
    axes.set_xlabel("position in the sequence (tokens)")
    axes.set_ylabel("log-prob of the token (nats)")
    axes.set_ylim(top=min(axes.get_ylim()[1], _TOP))


def draw_rank_entropy(run: StoredRun) -> MatplotlibFigure | None:
    """Median rank of the right token, and the entropy of the prediction, against position."""
    names = [name for name in pools_shown(run) if data.position(run, name, "rank_median") is not None]
    if not names or not can_be_told_apart(names):
        return None
    figure = new_figure(TWO_COLUMNS, 2.3 + 0.07 * max(0, len(names) - 2))
    ranks, entropies = figure.subplots(1, 2)
    for axes, array in ((ranks, "rank_median"), (entropies, "entropy_mean")):
        mark_halves(axes, data.seq_len(run))
        for pool in names:
            values = data.position(run, pool, array)
            if values is None:
                continue
            label = data.pool_label(run, pool)
            colour, dashes = colour_of(pool, names), line_style_of(pool, names)
            draw_curve(axes, Curve(label, np.arange(len(values)), values, None, None, colour, dashes))
        axes.set_xlabel("position in the sequence (tokens)")
    ranks.set_yscale("log")
    ranks.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ranks.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ranks.yaxis.set_minor_formatter(NullFormatter())
    ranks.set_ylabel("median rank (1 = best)")
    entropies.set_ylabel("prediction entropy (nats)")
    entropies.set_ylim(bottom=0)
    legend_below(figure, ranks, 2)
    return figure


def draw_copy_summary(run: StoredRun) -> MatplotlibFigure | None:
    """Copy effect, logit difference (without a control copy gain) and copy accuracy of every pool, beside published."""
    names = pools_shown(run)
    if not names:
        return None
    figure = new_figure(TWO_COLUMNS, 0.62 + 0.5 * len(names))
    drawn = data.pictured(run)
    if warning := data.warning(run):
        figure.suptitle(f"Caution: {warning}", fontsize=7, x=0.01, ha="left", color=WARNING)
    panels = figure.subplots(1, len(drawn), sharey=True)
    for axes, quantity in zip(panels, drawn, strict=True):
        rows = []
        for pool in names:
            value = data.measured(run, pool, quantity.name)
            rows.append(
                IntervalRow(
                    data.pool_label(run, pool), *value.interval, colour_of(pool, names), reference=value.published
                )
            )
        forest(axes, rows, quantity.axis or quantity.label)
        if quantity.is_share:
            axes.set_xlim(-0.05, 1.05)
        else:
            axes.axvline(0, color=QUIET, linewidth=0.6, zorder=0)
    if any(data.measured(run, pool, drawn[0].name).published is not None for pool in names):
        name = data.published_name(run)
        panels[0].plot([], [], "D", markerfacecolor="none", markeredgecolor=QUIET, markersize=4.5, label=name)
        legend_below(figure, panels[0])
    return figure


def draw_dose(run: StoredRun) -> Canvas | None:
    """Copying against training counts, natural and planted tokens apart; None with fewer than three of a kind."""
    drawn = draw_dose_response([run])
    return None if drawn is None else drawn.canvas


def draw_tokens(run: StoredRun) -> MatplotlibFigure | None:
    """The copy effect of every token: a dot each, a row for each pool, and the lowest named."""
    found = data.told_apart(data.tokens_of(run))
    if found.empty:
        return None
    names = [name for name in pools_shown(run) if (found["pool"] == name).any()]
    figure = new_figure(TWO_COLUMNS, 0.75 + 0.55 * len(names))
    axes = figure.subplots()
    for row, pool in enumerate(names):
        tokens = found[found["pool"] == pool].sort_values("copy_effect")
        effects = tokens["copy_effect"].to_numpy(dtype=np.float64)
        # Spread by rank, in a fixed pattern: dots at the same place would hide how many there are.
        heights = row + 0.5 * ((np.arange(len(effects)) * 0.618034) % 1 - 0.5)
        axes.plot(effects, heights, ".", color=colour_of(pool, names), markersize=3, alpha=0.55, markeredgewidth=0)
        axes.plot([np.median(effects)] * 2, [row - 0.32, row + 0.32], color=colour_of(pool, names), linewidth=1.4)
        lowest = ", ".join(figure_text(visible(str(token)), 18) for token in tokens["shown"].head(_NAMED))
        axes.annotate(f"lowest: {lowest}", (0.01, row - 0.36), xycoords=("axes fraction", "data"), fontsize=5.5,
                      color=QUIET, va="bottom")  # fmt: skip
    axes.axvline(0, color=QUIET, linewidth=0.6, zorder=0)
    name_rows(axes, [f"{pool_title(pool)}, {int((found['pool'] == pool).sum())} tokens" for pool in names])
    axes.set_xlabel("copy effect of each token (nats)")
    return figure


def draw_head_scores(run: StoredRun) -> MatplotlibFigure | None:
    """Induction, previous-token and duplicate-token score of every head, per pool and as differences."""
    names = [name for name in pools_shown(run) if data.by_offset(run, name) is not None]
    if not names or len(names) > MOST_CURVES:
        return None
    rows = []
    for score in data.SCORES:
        maps = {pool: _score_map(run, pool, score) for pool in names}
        row = [HeadMap(pool_title(pool), values) for pool, values in maps.items()]
        row += [
            HeadMap(f"{pool_title(a)} − {pool_title(b)}", maps[a] - maps[b], diverging=True)
            for a, b in _compared(run)
            if a in maps and b in maps
        ]
        rows.append(row)
    return head_map_grid(rows, list(data.SCORES.values()), data.layers(run), "mean attention from the second half")


def _compared(run: StoredRun) -> list[tuple[str, str]]:
    # Three differences and more would not be readable on a page; the arrays hold them all.
    return [(str(pair["a"]), str(pair["b"])) for pair in run.details.get("comparisons", [])][:2]


def _score_map(run: StoredRun, pool: str, score: str) -> np.ndarray:
    values = data.by_offset(run, pool)
    assert values is not None
    return values[:, :, data.score_offset(run, score)]


def draw_by_offset(run: StoredRun) -> MatplotlibFigure | None:
    """Where the top heads look from the second half: mean attention against distance."""
    heads = data.top_heads(run)[:MOST_HEADS]
    names = [name for name in pools_shown(run) if data.by_offset(run, name) is not None]
    if not heads or not names or len(names) > MOST_CURVES:
        return None
    figure = new_figure(TWO_COLUMNS, 2.3)
    figure.suptitle(_highest_scores(run, names), fontsize=7, x=0.01, ha="left")
    grid = figure.subplots(1, len(heads), sharey=True, squeeze=False)[0]
    uniform = run.details["heads"].get("uniform_attention")
    induction = data.score_offset(run, "induction")
    for axes, head in zip(grid, heads, strict=True):
        for pool in names:
            values = data.by_offset(run, pool)
            assert values is not None
            values = values[head.layer_row, head.head]
            colour, dashes = colour_of(pool, names), line_style_of(pool, names)
            draw_curve(
                axes, Curve(data.pool_label(run, pool), np.arange(len(values)), values, None, None, colour, dashes)
            )
        axes.axvline(induction, color=QUIET, linewidth=0.6, linestyle=(0, (1, 1.5)), zorder=0,
                     label=f"induction: {induction} back")  # fmt: skip
        if isinstance(uniform, int | float) and math.isfinite(uniform):
            axes.axhline(
                uniform, color=QUIET, linewidth=0.6, linestyle="--", zorder=0, label="looking everywhere equally"
            )
        axes.set_title(f"head {head.label}")
        axes.set_xlabel("tokens back")
    grid[0].set_ylim(bottom=0)
    grid[0].set_ylabel("mean attention from\nthe second half")
    legend_below(figure, grid[0], 2)
    return figure


def _highest_scores(run: StoredRun, names: Sequence[str]) -> str:
    """One line that says how much induction there is, so that its absence is seen too."""
    found = []
    for pool in names:
        score, head = (run.metrics.get(f"{pool}/{name}") for name in ("induction_score_max", "induction_head"))
        if isinstance(score, int | float):
            found.append(f"{pool} {score:.2f} (head {head})")
    return figure_text(f"highest induction score: {', '.join(found)}", 110)


def draw_patterns(run: StoredRun) -> MatplotlibFigure | None:
    """Attention of the top heads on each pool's first sequence."""
    heads = data.top_heads(run)[:MOST_HEADS]
    names = [name for name in pools_shown(run) if f"{name}/example/pattern" in run.arrays]
    if not heads or not names:
        return None
    side = TWO_COLUMNS / (MOST_HEADS + 0.6)
    figure = new_figure(side * len(heads) + 0.9, side * len(names) + 0.55)
    grid = figure.subplots(len(names), len(heads), squeeze=False)
    patterns = {pool: run.arrays[f"{pool}/example/pattern"] for pool in names}
    # Early queries have few keys and so large weights; the scale is set by the second half, where copying happens.
    half = data.seq_len(run)
    vmax = max(float(np.nanmax(patterns[pool][[head.row for head in heads], -half:])) for pool in names)
    for pool, axes_row in zip(names, grid, strict=True):
        tokens = data.example_tokens(run, pool)
        for axes, head in zip(axes_row, heads, strict=True):
            has_bos = bool(run.details.get("has_bos"))
            image = attention_map(axes, patterns[pool][head.row], tokens, has_bos, vmax)
            if pool == names[0]:
                axes.set_title(f"head {head.label}")
            if pool == names[-1]:
                axes.set_xlabel("key position")
        axes_row[0].set_ylabel(f"{figure_text(pool, 24)}\nquery position")
    figure.colorbar(image, ax=grid, location="right", shrink=0.7, aspect=30, label="attention", extend="max", pad=0.01)  # type: ignore[arg-type]
    return figure


def panels(run: StoredRun) -> list[AttentionPanel]:
    """Every kept pattern, to look at by hand in the report."""
    heads = data.top_heads(run)
    found = []
    for pool in pools_shown(run):
        patterns = run.arrays.get(f"{pool}/example/pattern")
        if patterns is None or not heads:
            continue
        previous = data.previous_labels(run)
        after = f", then the previous-token heads {', '.join(previous)}" if previous else ""
        title = f"{data.pool_label(run, pool)}: one sequence, the {len(heads)} top heads{after}"
        found.append(
            AttentionPanel(
                title,
                data.example_tokens(run, pool),
                patterns,
                (*(head.label for head in heads), *previous),
                run.metrics.get(f"{pool}/induction_score_max") or 0.0,
            )
        )
    return found


def texts(run: StoredRun) -> list[ColouredText]:
    """The same sequences, coloured by how well each token was predicted; none in runs stored before they were kept."""
    found = []
    for pool in pools_shown(run):
        logprob = run.arrays.get(f"{pool}/example/logprob")
        if logprob is None:
            continue
        tokens = data.example_tokens(run, pool)
        # BOS is predicted by nothing.
        values = np.concatenate([np.full(len(tokens) - len(logprob), np.nan), logprob])
        caption = "Log-prob of each token of one sequence, which occurs twice."
        found.append(ColouredText(data.pool_label(run, pool), caption, tokens, values.astype(np.float64)))
    return found


FIGURES = (
    Figure(
        "logprob_by_position",
        "Log-prob of each token against its position, mean over sequences with a 95 % band for these very tokens; the "
        "shaded second half repeats the first. Dotted: the same second half after another first half. Dash-dotted: "
        "what another token of the pool, which did not occur, gets in its place; where this lies as high, the model "
        "knows what kind of token comes and not which. Dashed: published means, where the config names them.",
        draw_logprob,
    ),
    Figure(
        "copy_summary",
        "Copy effect: log-prob of the second half after its own first half minus after another, what is gained (copy "
        "gain where there is no control). Logit difference: to the token at that place of the other half, which did "
        "not occur; above 0 the model knows which token it was. Copy accuracy: whether it is said. 95 % intervals "
        "clustered by token and by sequence; diamonds are published values.",
        draw_copy_summary,
    ),
    Figure(
        "dose_response",
        "Copying against how often training showed the tokens of a pool, at the mean count of those measured (0 stands "
        "left of 1); pools given by training counts. 95 % intervals clustered by token and by sequence.",
        draw_dose,
    ),
    Figure(
        "copy_effect_by_token",
        "The copy effect of every token, mean over its appearances where something announces it (all but the second "
        "half's first position): one dot a token, or a set of tokens whose rows coincide; the line is the pool's "
        "median.",
        draw_tokens,
    ),
    Figure(
        "rank_and_entropy",
        "Median rank of the right token, and mean entropy of the prediction, against position.",
        draw_rank_entropy,
    ),
    Figure(
        "head_scores",
        "Mean attention of every head from the second half to the token after the earlier copy (induction), to the "
        "token before, and to the earlier copy itself (duplicate token), per pool and as a difference.",
        draw_head_scores,
    ),
    Figure(
        "attention_by_offset",
        "Mean attention from second-half positions against how many tokens back it goes, for the top heads.",
        draw_by_offset,
    ),
    Figure(
        "attention_patterns",
        "Attention patterns of the top heads on the first sequence of each pool; dashed lines separate the halves.",
        draw_patterns,
    ),
)
