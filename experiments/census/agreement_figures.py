"""Pictures of a census by agreement, from its stored files."""

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure

from experiments.census.agreement_tables import asked_wordings
from harness.glitch.census.verdict import LEAST_PASS_RATE
from harness.reporting.display import Figure
from harness.reporting.figures.layout import name_rows
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, QUIET, TWO_COLUMNS, new_figure
from harness.runs.results.stored_run import StoredRun
from harness.tokens.kinds import LABELS

_DASHES = (0, (4, 2))


def draw_wordings(run: StoredRun) -> MatplotlibFigure:
    """Every wording: what passes of well-known tokens and of the sample; how many of its failures others pass."""
    names = asked_wordings(run)
    figure = new_figure(TWO_COLUMNS, 0.9 + 0.2 * len(names))
    passes, failures = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    for row, name in enumerate(names):
        for key, colour, marker, shift in (
            ("calibration_pass_rate", COLOURS[1], "o", -0.14), ("pass_rate", COLOURS[2], "s", 0.14),
        ):  # fmt: skip
            mean, low, high = run.interval(f"wording/{name}/{key}")
            if mean is not None:
                passes.plot(mean, row + shift, marker, color=colour, markersize=3.5)
            if low is not None:
                passes.plot([low, high], [row + shift] * 2, color=colour, linewidth=1)
        failed = run.metrics.get(f"wording/{name}/failed")
        if failed is not None:
            by_wording = run.metrics.get(f"wording/{name}/artefact_tokens") or 0
            failures.barh(row, failed, color=QUIET, alpha=0.35, height=0.62)
            failures.barh(row, by_wording, color=COLOURS[0], height=0.62)
    passes.axvline(LEAST_PASS_RATE, color=QUIET, linewidth=0.7, linestyle=_DASHES)
    passes.set_xlim(-0.03, 1.03)
    passes.set_xlabel("share that passes (dashed: needed to count)")
    failures.set_xlabel(f"failures among {run.details['n_sample']:,} tokens")
    failures.tick_params(axis="y", length=0)
    counts = {name: run.metrics[f"wording/{name}/counts"] for name in names}
    name_rows(passes, [name if counts[name] else f"{name} (does not count)" for name in names])
    handles = [
        passes.plot([], [], "o", color=COLOURS[1], markersize=3.5, label="well-known tokens")[0],
        passes.plot([], [], "s", color=COLOURS[2], markersize=3.5, label="the sample")[0],
        failures.bar([np.nan], [np.nan], color=COLOURS[0], label="passed in another wording that counts"),
        failures.bar([np.nan], [np.nan], color=QUIET, alpha=0.35, label="passed in none"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def draw_agreement(run: StoredRun) -> MatplotlibFigure | None:
    """Share of tokens that have the same outcome in two wordings."""
    if "agreement" not in run.arrays:
        return None
    names, shares = asked_wordings(run), run.arrays["agreement"]
    side = 0.7 + 0.27 * len(names)
    figure = new_figure(side + 1.2, side)
    axes = figure.subplots()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for row in range(len(names)):
        for column in range(len(names)):
            value = float(shares[row, column])
            if not np.isnan(value):
                axes.text(
                    column, row, f"{value:.2f}".removeprefix("0"), ha="center", va="center", fontsize=5,
                    color="white" if value > 0.6 else "black",
                )  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="tokens with the same outcome", shrink=0.8)
    return figure


def draw_kinds_of_token(run: StoredRun) -> MatplotlibFigure | None:
    """Share of glitch tokens by kind of token."""
    kinds = [kind for kind in LABELS if run.metrics.get(f"kind/{kind.value}/n")]
    if not kinds:
        return None
    figure = new_figure(ONE_COLUMN * 1.35, 0.7 + 0.24 * len(kinds))
    axes = figure.subplots()
    for row, kind in enumerate(kinds):
        mean, low, high = run.interval(f"kind/{kind.value}/glitch_rate")
        axes.plot(mean, row, "o", color=COLOURS[0], markersize=3.5)
        if low is not None:
            axes.plot([low, high], [row, row], color=COLOURS[0], linewidth=1.2)
    axes.set_xlabel("share of glitch tokens")
    axes.set_xlim(left=-0.01)
    counts = [(run.metrics[f"kind/{kind.value}/glitch"], run.metrics[f"kind/{kind.value}/n"]) for kind in kinds]
    name_rows(axes, [f"{LABELS[kind]} ({hits} of {n:,})" for kind, (hits, n) in zip(kinds, counts, strict=True)])
    return figure


AGREEMENT_FIGURES = (
    Figure(
        "wordings",
        "Ways to ask for a token. Left: the share of tokens that pass, of well-known ones and of a sample in which "
        "rare kinds of token are drawn more often, with 95 % Wilson intervals. Right: failures among the sample, and "
        "how many of these tokens pass another wording that counts: failures that are the wording's, not the token's.",
        draw_wordings,
    ),
    Figure("agreement", "Share of the sample's tokens that two wordings say the same of.", draw_agreement),
    Figure(
        "kinds_of_token",
        "Glitch tokens (all wordings that count failed, in two families of wordings at least) by kind of token, with "
        "95 % Wilson intervals.",
        draw_kinds_of_token,
    ),
)
