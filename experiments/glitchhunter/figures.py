"""Pictures of one glitchhunter run, from its stored files."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, new_figure
from harness.runs.results.stored_run import StoredRun

_PASSES = "#C9D3DC"
_UNKNOWN = "#ECECEC"
_GLITCH = "#D55E00"
_FAILING = matplotlib.colormaps["Oranges"]
_SHARES = (-1.0, 0.0, 0.1, 0.5, 1.0)
"""Ends of the ranges of shares that are told apart; the first is none at all."""
_SHARE_WORDS = ("none fails", "up to 10 % fail", "up to half fail", "more fail")


def draw_map(run: StoredRun) -> MatplotlibFigure | None:
    """The embedding map three times: by community, by verdict, by the last graph a token was part of."""
    if "xy" not in run.arrays:
        return None
    panels = [_draw_communities]
    if run.metrics.get("informative"):
        # With one graph alone every token's last graph is the first.
        panels += [_draw_verdicts, *([_draw_iterations] if run.arrays["last_iteration"].max() > 1 else ())]
    figure = new_figure(TWO_COLUMNS * len(panels) / 3, TWO_COLUMNS / 3 + 0.75)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, draw in zip(grid, panels, strict=True):
        draw(axes, run)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(True)
        axes.set_box_aspect(1)
        _frame(axes, run.arrays["xy"])
    return figure


def _frame(axes: Axes, xy: np.ndarray) -> None:
    """Show all but the farthest stray points of each side, so that they do not shrink everything else to a dot."""
    low, high = np.quantile(xy, [0.002, 0.998], axis=0)
    margin = 0.06 * np.maximum(high - low, 1e-9)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])


def _dots(axes: Axes, run: StoredRun, chosen: np.ndarray, colour: Any, label: str, larger: float = 1.0) -> None:
    xy = run.arrays["xy"]
    size = max(0.4, min(6.0, 9000 / len(xy))) * larger
    if chosen.any():
        x, y = xy[chosen].T
        axes.scatter(x, y, s=size, c=colour, linewidths=0, rasterized=True, label=f"{label} ({chosen.sum():,})")


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, fontsize=5.5, handletextpad=0.1, columnspacing=0.8,
        frameon=False, markerscale=2.0, borderaxespad=0.2,
    )  # fmt: skip


def _draw_communities(axes: Axes, run: StoredRun) -> None:
    community = run.arrays["community"]
    axes.set_title(f"{community.max() + 1:,} communities of the first graph")
    asked, failed = _outcomes(run)
    counts = np.bincount(community, asked)
    known = (counts > 0)[community]
    _dots(axes, run, ~known, _UNKNOWN, "no token of it asked")
    shares = np.bincount(community, failed) / np.maximum(counts, 1)
    for number, (low, high) in enumerate(pairwise(_SHARES)):
        chosen = known & (shares[community] > low) & (shares[community] <= high)
        _dots(axes, run, chosen, [_FAILING(0.12 + 0.88 * number / (len(_SHARES) - 2))], _SHARE_WORDS[number])
    _legend(axes)


def _outcomes(run: StoredRun) -> tuple[np.ndarray, np.ndarray]:
    """Whether each token has a verdict, and whether it fails: by the census where there is one, else by the hunt."""
    verdict = run.arrays["census" if "census" in run.arrays else "verdict"]
    return verdict >= 0, verdict == 1


def _draw_verdicts(axes: Axes, run: StoredRun) -> None:
    known = "census" in run.arrays
    verdict = run.arrays["census" if known else "verdict"]
    _dots(axes, run, verdict == -1, _UNKNOWN, "no verdict" if known else "not asked")
    _dots(axes, run, verdict == 0, _PASSES, "passes")
    _dots(axes, run, verdict == 1, _GLITCH, "glitch token", larger=1.3)
    axes.set_title("verdict of the census" if known else "verdict of the hunt's own questions")
    _legend(axes)


def _draw_iterations(axes: Axes, run: StoredRun) -> None:
    last = run.arrays["last_iteration"]
    n = int(last.max())
    colours = matplotlib.colormaps["viridis_r"]
    for number in range(1, n + 1):
        label = f"graph {number}" if number < n else f"graph {n}, the last"
        # The first graph's pale tokens are most; the few that stay are drawn over them.
        colour = [_PASSES if number == 1 and n > 1 else colours(0.25 + 0.75 * number / n)]
        _dots(axes, run, last == number, colour, label, larger=1.0 if number == 1 else 1.3)
    axes.set_title("last graph a token was part of")
    _legend(axes)


def draw_iterations(run: StoredRun) -> MatplotlibFigure | None:
    """What is left after every iteration, and what it cost."""
    iterations = run.details.get("iterations") or []
    if not iterations:
        return None
    figure = new_figure(TWO_COLUMNS, 2.2)
    left, price = figure.subplots(1, 2)
    numbers = [row["number"] for row in iterations]
    for key, label, colour, marker in (
        ("n_tokens", "tokens in the graph", COLOURS[1], "o"),
        ("n_communities", "communities", COLOURS[2], "s"),
        ("n_kept", "communities kept", COLOURS[0], "^"),
    ):
        values = [row[key] for row in iterations]
        left.plot(numbers, [max(value, 0.5) for value in values], marker=marker, color=colour, label=label)
        for x, value in zip(numbers, values, strict=True):
            left.annotate(
                f"{value:,}", (x, max(value, 0.5)), xytext=(0, -9 if key == "n_kept" else 4), ha="center",
                textcoords="offset points", fontsize=5.5, color=colour,
            )  # fmt: skip
    left.set_yscale("log")
    left.margins(x=0.15, y=0.2)
    left.set_xticks(numbers)
    left.set_xlabel("iteration")
    left.legend(fontsize=6)
    _draw_price(price, run, iterations)
    return figure


def _draw_price(axes: Axes, run: StoredRun, iterations: Sequence[dict[str, Any]]) -> None:
    rest = run.details["rest"]
    per_token = run.details["queries_per_token"]
    queried = [row["n_queries"] / per_token for row in iterations] + [rest["n_asked"]]
    hits = [row["n_hits"] for row in iterations] + [rest["n_hits"]]
    places = range(len(queried))
    axes.bar(places, hits, color=_GLITCH, label="fail")
    passed = [a - h for a, h in zip(queried, hits, strict=True)]
    axes.bar(places, passed, bottom=hits, color=_PASSES, label="pass")
    for place, total, bad in zip(places, queried, hits, strict=True):
        axes.annotate(
            f"{bad:,} of {total:,.0f}", (place, total), xytext=(0, 2), textcoords="offset points", ha="center",
            fontsize=5.5, color=COLOURS[7],
        )  # fmt: skip
    axes.set_xticks(list(places), [*(str(row["number"]) for row in iterations), "rest"])
    axes.margins(y=0.12)
    axes.set_xlabel("iteration")
    axes.set_ylabel("tokens asked")
    axes.legend(fontsize=6)


def draw_recall(run: StoredRun) -> MatplotlibFigure | None:
    """Glitch tokens of the census found against tokens queried; for comparison at random and without a miss."""
    if "census" not in run.arrays or not run.metrics.get("informative"):
        return None
    queried_at, census, verdict = (run.arrays[name] for name in ("asked_at", "census", "verdict"))
    total, n = int((census == 1).sum()), int((census >= 0).sum())
    order = np.argsort(queried_at, kind="stable")[int((queried_at < 0).sum()) :]
    if not total or not len(order):
        return None
    hits = np.cumsum((census[order] == 1) & (verdict[order] == 1)) / total
    shares = np.arange(1, len(order) + 1) / n
    figure = new_figure(height=2.5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color=QUIET, label="asking at random (expected)")
    axes.plot([0, total / n, 1], [0, 1, 1], "--", color=QUIET, label="without a miss")
    axes.plot([0, *shares], [0, *hits], color=COLOURS[0], label="GlitchHunter")
    axes.plot(shares[-1], hits[-1], "o", color=COLOURS[0])
    axes.set_xlabel("share of tokens asked")
    axes.set_ylabel("recall against the census")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    axes.legend(loc="lower right")
    return figure


FIGURES = (
    Figure(
        "embedding_map",
        "The tokens' input embeddings in two dimensions, to look at only: by the share of their community of the first "
        "graph that fails, by verdict, and, of several graphs, by the last one a token was part of. The farthest 0.2 % "
        "of points on each side lie outside the frame.",
        draw_map,
    ),
    Figure(
        "iterations",
        "Left: tokens, communities and kept communities of every graph. Right: tokens asked for the first time, and "
        "how many of them fail.",
        draw_iterations,
    ),
    Figure(
        "recall",
        "Share of the census's glitch tokens found against the share of tokens asked.",
        draw_recall,
    ),
)
