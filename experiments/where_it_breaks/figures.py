"""Pictures of one where_it_breaks run, from its stored files."""

import math

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.where_it_breaks.interventions import Half, Whose
from experiments.where_it_breaks.metrics import cell_key
from experiments.where_it_breaks.tables import attribution_parts, circuit_label, circuit_names, prefix
from harness.reporting.display import Figure
from harness.reporting.figures.charts import IntervalRow, forest, short_share
from harness.reporting.figures.families import colour_of, line_style_of, pool_title
from harness.reporting.figures.layout import error_lengths, legend_below
from harness.reporting.figures.style import COLOURS, DIVERGING, MARKERS, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.figures.text import figure_text
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun

_DASHES = (0, (4, 2))
_CLIP = 1.5
"""Shares beyond this are drawn at the edge."""


def draw_restored(run: StoredRun) -> MatplotlibFigure | None:
    """Every intervention: bars of one pool, or a map of several."""
    names = pools_shown(run)
    known = [pool for pool in names if run.metrics[f"{prefix(run, pool)}loses"]]
    if not known or not run.details["interventions"]:
        return None
    return _bars(run, known[0]) if len(names) == 1 else _map(run, names)


def _bars(run: StoredRun, pool: str) -> MatplotlibFigure:
    groups, shown = run.details["groups"], run.details["interventions"]
    figure = new_figure(TWO_COLUMNS, 0.9 + 0.24 * len(shown))
    axes = figure.subplots()
    rows = [
        IntervalRow(
            one["label"],
            *run.interval(f"{prefix(run, pool)}restored/{one['name']}"),
            colour=COLOURS[groups.index(one["group"])],
        )
        for one in shown
    ]
    forest(axes, rows, f"share of the lost identity effect restored ({pool})")
    for position, one in enumerate(shown):
        control = run.metrics[f"{prefix(run, pool)}control/{one['name']}"]
        if control is not None:
            axes.plot(control, position + 0.25, "|", color=QUIET, markersize=5)
    for share in (0, 1):
        axes.axvline(share, color=QUIET, linewidth=0.6, linestyle=_DASHES, zorder=0)
    for group in dict.fromkeys(one["group"] for one in shown):
        axes.plot([], [], "o", color=COLOURS[groups.index(group)], label=group)
    axes.plot([], [], "|", color=QUIET, label="share partners keep")
    legend_below(figure, axes, 3)
    return figure


def _map(run: StoredRun, names: list[str]) -> MatplotlibFigure:
    shown = run.details["interventions"]
    values = np.array(
        [
            [
                np.nan if (found := run.metrics[f"{prefix(run, pool)}restored/{one['name']}"]) is None else found
                for pool in names
            ]
            for one in shown
        ],
        dtype=float,
    )
    figure = new_figure(TWO_COLUMNS, 1.3 + 0.19 * len(shown))
    axes = figure.subplots()
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap=DIVERGING, vmin=-_CLIP, vmax=_CLIP, aspect="auto", interpolation="none"
    )
    axes.set_yticks(range(len(shown)), [figure_text(one["label"], 52) for one in shown], fontsize=6)
    axes.set_xticks(
        range(len(names)), [figure_text(pool_title(pool), 24) for pool in names], rotation=45, ha="right", fontsize=6
    )
    for (row, column), value in np.ndenumerate(values):
        if math.isfinite(value):
            text = short_share(value) if abs(value) < 1 else f"{value:.1f}".replace("-", "−")
            dark = abs(value) > 0.6 * _CLIP
            axes.text(column, row, text, ha="center", va="center", fontsize=5, color="white" if dark else "black")
    for row in range(1, len(shown)):
        if shown[row]["group"] != shown[row - 1]["group"]:
            axes.axhline(row - 0.5, color=QUIET, linewidth=0.8)
    figure.colorbar(image, ax=axes, shrink=0.6, label="share restored")
    return figure


def draw_by_layer(run: StoredRun) -> MatplotlibFigure | None:
    """The residual stream by layer: put in, a panel a half, and read off."""
    names, layers = pools_shown(run), run.details["layers"]
    known = [pool for pool in names if run.metrics[f"{prefix(run, pool)}loses"]]
    if not known or not layers:
        return None
    figure = new_figure(TWO_COLUMNS, 2.4 if len(known) < 5 else 3.2)
    first, second, lens = figure.subplots(1, 3)
    second.sharey(first)
    for pool in known:
        colour, dashes, title = colour_of(pool, known), line_style_of(pool, known), pool_title(pool)
        before, has_band = prefix(run, pool), len(known) < 4
        for axes, half in zip((first, second), Half, strict=True):
            _draw_layers(axes, run, f"{before}restored/residual_{half.value}_half_", title, colour, dashes, has_band)
        _draw_layers(lens, run, f"{before}lens/own_", title, colour, dashes, has_band)
        if has_band:
            _draw_layers(lens, run, f"{before}lens/partner_", f"{title}: partners", colour, (0, (1, 2)), has_band)
    for axes in (first, second):
        for share in (0, 1):
            axes.axhline(share, color=QUIET, linewidth=0.6, linestyle=_DASHES, zorder=0)
    for axes, title in ((first, "partner's first half"), (second, "partner's second half"), (lens, "logit lens")):
        axes.set_title(title)
        axes.set_xlabel("residual stream before layer")
        axes.locator_params(axis="x", integer=True, nbins=8)
    if first.get_ylim()[0] < -_CLIP:
        # What is read as the partner lacks what the token had by itself: without bound where little was lost.
        first.set_ylim(bottom=-_CLIP)
    first.set_ylabel("share restored")
    lens.set_ylabel("identity effect (logits)")
    legend_below(figure, lens, 3 if len(known) > 2 else 2)
    return figure


def _draw_layers(axes: Axes, run: StoredRun, key: str, label: str, colour: str, dashes: object, has_band: bool) -> None:
    layers = np.array(run.details["layers"])
    found = np.array([run.interval(f"{key}{layer}") for layer in layers], dtype=float)
    axes.plot(layers, found[:, 0], linestyle=dashes, color=colour, label=figure_text(label, 40))
    if has_band:
        axes.fill_between(layers, found[:, 1], found[:, 2], color=colour, alpha=0.2, linewidth=0)


_STAGES = (
    ("decoded/own", "the final state tells the token from its like"),
    ("decoded/mend_input", "the same, input row mended"),
    ("attention/induction", "induction heads find it: attention after a well-known cue"),
    ("mixed_attention/own_then_partner", "an own cue finds its successor: attention to a well-known one"),
    ("copied/own", "copied"),
    ("copied/mend_both", "copied, both rows mended"),
)


def draw_stages(run: StoredRun) -> MatplotlibFigure | None:
    """Reading, matching and copying side by side, over several pools."""
    names = pools_shown(run)
    if len(names) < 2:
        return None
    figure = new_figure(TWO_COLUMNS, 3.6)
    axes = figure.subplots()
    for number, (key, label) in enumerate(_STAGES):
        known = [pool for pool in names if f"{prefix(run, pool)}{key}" in run.metrics]
        if not known:
            continue
        found = [run.interval(f"{prefix(run, pool)}{key}") for pool in known]
        x = np.array([names.index(pool) for pool in known]) + 0.06 * (number - len(_STAGES) / 2)
        axes.errorbar(
            x, [mean for mean, _, _ in found], yerr=error_lengths(found), fmt=MARKERS[number], color=COLOURS[number],
            markersize=3.5, linewidth=1, label=label,
        )  # fmt: skip
    axes.set_xticks(
        range(len(names)), [figure_text(pool_title(pool), 24) for pool in names], rotation=45, ha="right", fontsize=6
    )
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("share")
    legend_below(figure, axes, 2)
    return figure


def draw_mixed(run: StoredRun) -> MatplotlibFigure | None:
    """The 2 x 2 of cue and copied token, a panel a pool."""
    names = [pool for pool in pools_shown(run) if f"{prefix(run, pool)}mixed/interaction" in run.metrics]
    if not names:
        return None
    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    figure = new_figure(TWO_COLUMNS if columns > 2 else 1.8 * columns + 1.2, 1.9 * rows + 0.4)
    grid = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for axes, pool in zip(grid, names, strict=False):
        _draw_cells(axes, run, pool)
    for axes in grid[: len(names) - columns]:
        axes.set_xlabel("")
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    first = grid[0]
    first.set_ylabel("identity effect (logits)")
    legend_below(figure, first, 2)
    return figure


def _draw_cells(axes: Axes, run: StoredRun, pool: str) -> None:
    for number, cue in enumerate(Whose):
        found = [run.interval(f"{prefix(run, pool)}{cell_key(cue, copied)}") for copied in Whose]
        x = np.arange(2) + 0.06 * (number - 0.5)
        axes.errorbar(
            x, [mean for mean, _, _ in found], yerr=error_lengths(found), fmt=("o-", "s--")[number],
            color=COLOURS[number], linewidth=1, label=f"cue: {'own' if cue is Whose.OWN else 'well-known partner'}",
        )  # fmt: skip
    axes.set_xticks(range(2), ["own", "partner"])
    axes.set_xlim(-0.4, 1.4)
    axes.axhline(0, color=QUIET, linewidth=0.6, linestyle=_DASHES, zorder=0)
    axes.set_xlabel("copied token")
    axes.set_title(figure_text(pool_title(pool), 24))


def draw_circuits(run: StoredRun) -> MatplotlibFigure | None:
    """What heads copy and match by their weights, a panel each: own tokens filled, partners hollow."""
    names = pools_shown(run)
    circuits = list(dict.fromkeys(name for pool in names for name in circuit_names(run, pool)))
    if len(names) > 1 and run.details["heads"]["previous"]:
        # With several pools, keys of the best previous-token head alone: else the picture is too full to read.
        best = f"matching/{run.details['heads']['previous'][0]}_"
        circuits = [name for name in circuits if name.startswith(("ov_copying/", best))]
    kinds = [[name for name in circuits if name.startswith(kind)] for kind in ("ov_copying/", "matching/")]
    kinds = [some for some in kinds if some]
    if not kinds:
        return None
    figure = new_figure(TWO_COLUMNS, 2.4 if len(names) == 1 else 3.4)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, some in zip(panels, kinds, strict=True):
        for number, circuit in enumerate(some):
            for whose in Whose:
                _draw_circuit(axes, run, circuit, whose, number, len(some))
        shown = [circuit_label(name).split(", ")[1] for name in some]
        if len(names) == 1:
            axes.set_xticks(range(len(some)), shown, fontsize=6)
            axes.set_xlim(-0.5, len(some) - 0.5)
        else:
            axes.set_xticks(
                range(len(names)), [figure_text(pool_title(pool), 24) for pool in names], rotation=90, fontsize=6
            )
        axes.set_yscale("log")
        axes.set_title(circuit_label(some[0]).split(", ")[0])
    panels[0].set_ylabel("reciprocal rank (1: first)")
    legend_below(figure, panels[0], 4)
    return figure


def _draw_circuit(axes: Axes, run: StoredRun, circuit: str, whose: Whose, number: int, n: int) -> None:
    """One point a pool; of a single pool beside the other circuits."""
    names = pools_shown(run)
    after = "" if whose is Whose.OWN else f"_{whose.value}"
    known = [pool for pool in names if f"{prefix(run, pool)}{circuit}/top1" in run.metrics]
    found = [run.interval(f"{prefix(run, pool)}{circuit}/reciprocal_rank{after}") for pool in known]
    shift = 0.0 if whose is Whose.OWN else 0.2
    x = [number + shift] if len(names) == 1 else [names.index(pool) + 0.35 * (number / n - 0.5) for pool in known]
    # A colour for each induction head, in both panels.
    head = circuit.split("/")[1].split("_")[-1]
    kind = run.details["heads"]["induction"].index(head)
    axes.errorbar(
        x, [mean for mean, _, _ in found], yerr=error_lengths(found), fmt=MARKERS[kind % len(MARKERS)],
        color=COLOURS[kind % len(COLOURS)], markerfacecolor="none" if whose is Whose.PARTNER else None, markersize=3.5,
        linewidth=1, label=f"{head}: {_TITLES[whose]}",
    )  # fmt: skip


_MOST_CELLS = 120
"""With more than so many, numbers in the cells would not be legible."""


def draw_attribution(run: StoredRun) -> MatplotlibFigure | None:
    """Who writes the identity effect, own beside partner: a map of layers and heads, or of parts and several pools."""
    names = [pool for pool in pools_shown(run) if attribution_parts(run, pool)]
    if not names:
        return None
    is_single = len(names) == 1
    panels = [_by_layer_and_head(run, names[0], whose) if is_single else _by_part(run, names, whose) for whose in Whose]
    limit = max(float(np.nanmax(np.abs(values))) for *_, values in panels)
    rows, columns = panels[0][1:3]
    figure = new_figure(TWO_COLUMNS, (1.2 if is_single else 1.7) + 0.2 * len(rows))
    grid = list(figure.subplots(1, 2, sharey=True))
    for axes, (title, _, _, values) in zip(grid, panels, strict=True):
        image = axes.imshow(
            np.ma.masked_invalid(values), cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="none"
        )
        axes.set_title(title)
        axes.set_xticks(range(len(columns)), columns, fontsize=6)
        if not is_single:
            axes.tick_params(axis="x", labelrotation=90)
        axes.set_yticks(range(len(rows)), rows, fontsize=6)
        if values.size <= _MOST_CELLS:
            _write_values(axes, values, limit)
    figure.colorbar(image, ax=grid, shrink=0.8, label="identity effect (logits)")
    return figure


_Map = tuple[str, list[str], list[str], Float[np.ndarray, "row column"]]
"""Title, rows, columns, values."""


def _by_part(run: StoredRun, names: list[str], whose: Whose) -> _Map:
    parts = attribution_parts(run, names[0])
    values = [[run.metrics[f"{prefix(run, pool)}attribution/{whose.value}_{part}"] for pool in names] for part in parts]
    rows, columns = [part.replace("_", " ") for part in parts], [figure_text(pool_title(pool), 24) for pool in names]
    return _TITLES[whose], rows, columns, np.array(values, dtype=float)


def _by_layer_and_head(run: StoredRun, pool: str, whose: Whose) -> _Map:
    heads, mlps, rest = (
        run.arrays[f"{pool}/attribution/{part}/{whose.value}"].mean(axis=0) for part in ("heads", "mlps", "rest")
    )
    n_layers, n_heads = run.details["n_layers"], heads.shape[1]
    values = np.full((n_layers, n_heads + 1), np.nan)
    values[run.details["heads"]["layers"], :-1] = heads
    if len(mlps) == n_layers:
        values[:, -1] = mlps
    rows, columns = [f"layer {layer}" for layer in range(n_layers)], [f"H{head}" for head in range(n_heads)]
    return f"{_TITLES[whose]} (rest: {_one_decimal(float(rest))})", rows, [*columns, "MLP"], values


_TITLES = {Whose.OWN: "own", Whose.PARTNER: "partners"}


def _write_values(axes: Axes, values: Float[np.ndarray, "row column"], limit: float) -> None:
    for (row, column), value in np.ndenumerate(values):
        if math.isfinite(value):
            colour = "white" if abs(value) > 0.6 * limit else "black"
            axes.text(column, row, _one_decimal(value), ha="center", va="center", fontsize=5, color=colour)


def _one_decimal(value: float) -> str:
    # Adding 0 takes the minus off a rounded 0.
    return f"{round(value, 1) + 0.0:.1f}".replace("-", "−")


FIGURES = (
    Figure(
        "restored",
        "Share of the lost identity effect that each intervention restores (95 % intervals over tokens and draws; "
        "0: as the tokens are, 1: as their well-known partners). Ticks: the share of their own identity effect that "
        "partners keep under it. Several pools: a column each, blank where a pool loses nothing that shows.",
        draw_restored,
    ),
    Figure(
        "stages",
        "What fails by pool (95 % intervals over tokens and draws): whether the final state tells a token from all "
        "others of its pool, whether induction heads look at it after a well-known cue, whether it is found as a cue "
        "itself, and whether it is copied.",
        draw_stages,
    ),
    Figure(
        "by_layer",
        "Where the token's identity is at each layer: the residual stream of the partner's run put in before that "
        "layer, at all positions of the first half (left) or the second (middle), read as the partner. Right: the "
        "identity effect where the stream before a layer goes straight to the final norm.",
        draw_by_layer,
    ),
    Figure(
        "attribution",
        "Who writes the identity effect where the token is predicted: direct logit attribution to heads, MLPs and the "
        "rest (embedding and biases), the final norm's scale frozen at each run's own; parts add up to the identity "
        "effect. Left: tokens under study, right: their well-known partners.",
        draw_attribution,
    ),
    Figure(
        "circuits",
        "What heads do by their weights alone (95 % intervals over tokens). Copying: where a token itself stands "
        "among the pool's tokens and all well-known ones, in what an induction head writes of its input row. Matching: "
        "where the key that a previous-token head makes of it stands, for its query as a cue (with several pools, the "
        "best previous-token head only). Reciprocal rank, mean over tokens; in a run other layers have their part.",
        draw_circuits,
    ),
    Figure(
        "mixed",
        "Identity effect (logits) by who announces and who is announced: tokens of the pool (own) or their well-known "
        "partners in the same places (95 % intervals over tokens and draws).",
        draw_mixed,
    ),
)
