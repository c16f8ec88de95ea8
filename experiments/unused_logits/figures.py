"""Pictures, tables and headline numbers of one unused_logits run, from its stored files."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from harness.measure.formatting import number
from harness.reporting.display import Figure, Table
from harness.reporting.figures.style import QUIET, colour_of, line_style_of, marker_of, new_figure
from harness.reporting.figures.tables import HIGH, LOW
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

KINDS = {"prompts": "prompts", "text": "running text"}
_LEAST = 1e-12


def pools(run: StoredRun) -> list[str]:
    """The pools, in the order of the config."""
    asked = [name for name in run.config.get("pools", {}) if name in run.details["pools"]]
    return asked or list(run.details["pools"])


def draw_misreading(run: StoredRun) -> MatplotlibFigure:
    """Raw logits against true probabilities at the ends of the prompts, with the curve that exp() would be."""

    figure = new_figure(height=2.6)
    axes = figure.subplots()
    names = pools(run)
    edges: list[float] = []
    for pool in reversed(names):
        logits = run.arrays[f"{pool}/last/logit"].ravel()
        probability = np.maximum(run.arrays[f"{pool}/last/prob"].ravel(), _LEAST)
        axes.plot(
            logits, probability, marker_of(pool, names), color=colour_of(pool, names), markersize=2, alpha=0.5,
            markeredgewidth=0, label=pool, rasterized=True,
        )  # fmt: skip
        edges += [float(logits.min()), float(logits.max())]
    line = np.linspace(min(edges), max(edges), 50)
    axes.plot(line, np.exp(line), color=QUIET, linewidth=0.8, linestyle=(0, (4, 2)), label="exp(logit): no probability")
    axes.set_yscale("log")
    axes.set_ylim(top=max(3.0, float(np.exp(max(edges))) if max(edges) < 3 else 20.0))
    axes.axhline(1.0, color=QUIET, linewidth=0.4)
    axes.set_xlabel("raw logit at the prompt's last position")
    axes.set_ylabel("probability")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_text(run: StoredRun) -> MatplotlibFigure:
    """Probability of each whole pool over the positions of running text, as a share of positions at or below it."""

    figure = new_figure(height=2.4)
    axes = figure.subplots()
    names = pools(run)
    for pool in names:
        total = np.sort(np.maximum(run.arrays[f"{pool}/text/total"], _LEAST))
        share = np.arange(1, len(total) + 1) / len(total)
        colour = colour_of(pool, names)
        axes.plot(total, share, line_style_of(pool, names), color=colour, label=pool, drawstyle="steps-post")
        uniform = run.metrics[f"{pool}/uniform_probability"]
        axes.axvline(uniform, color=colour, linewidth=0.6, linestyle=(0, (1, 2)))
    axes.plot([], [], color=QUIET, linewidth=0.6, linestyle=(0, (1, 2)), label="if all tokens were equally likely")
    axes.set_xscale("log")
    axes.set_xlabel("probability of the whole pool")
    axes.set_ylabel("share of positions")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def summary_table(run: StoredRun) -> pd.DataFrame:
    """What every pool gets, for prompts and for running text."""

    top = f"positions with one in the top {run.details['top_k']}"
    rows = []
    for kind, words in KINDS.items():
        for pool in pools(run):
            key = f"{pool}/{kind}"
            row = {
                "read": words,
                "pool": pool,
                "tokens": run.metrics[f"{pool}/n_tokens"],
                "positions": run.metrics[f"{key}/n_positions"],
            }
            for name, label in (("total_probability", "probability of all"), ("in_top_k", top)):
                row[label] = run.metrics[f"{key}/{name}"]
                row[f"{label}{LOW}"] = run.metrics[f"{key}/{name}/ci_low"]
                row[f"{label}{HIGH}"] = run.metrics[f"{key}/{name}/ci_high"]
            row["best rank"] = run.metrics[f"{key}/best_rank_min"]
            row["largest probability of one"] = run.metrics[f"{key}/probability_max"]
            row["mean raw logit"] = run.metrics[f"{key}/logit_mean"]
            row["if all were equal"] = run.metrics[f"{pool}/uniform_probability"]
            rows.append(row)
    return pd.DataFrame(rows)


def misreading_table(run: StoredRun) -> pd.DataFrame:
    """Raw logit, exp(logit) and probability side by side."""

    rows = [
        {
            "prompt": row["prompt"],
            "pool": pool,
            "id": row["id"],
            "token": row["token"],
            "raw logit": row["logit"],
            "exp(logit), no probability": row["exp_logit"],
            "probability": row["prob"],
            "rank": row["rank"],
        }
        for pool in pools(run)
        for row in run.details["last"][pool]
    ]
    return pd.DataFrame(rows)


def _interval(mean: float, low: float | None, high: float | None) -> str:
    """Mean and interval, each with digits of its own: they may be tiny."""

    ends = f" [{number(low, 2)}, {number(high, 2)}]" if low is not None and high is not None else ""
    return f"{number(mean, 2)}{ends}"


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row a pool, for running text, and the misreading."""

    metrics, ends = run.metrics, ("", "/ci_low", "/ci_high")
    rows = []
    for pool in pools(run):
        total, top = f"{pool}/text/total_probability", f"{pool}/text/in_top_k"
        rows.append(
            HeadlineRow(
                pool,
                {
                    "probability of all": _interval(*[metrics[f"{total}{end}"] for end in ends]),
                    f"in top {run.details['top_k']}": number(metrics[top], 2),
                    "highest logit": number(metrics[f"{pool}/last/logit_max"], 2),
                    "its probability": number(metrics[f"{pool}/last/probability_of_logit_max"]),
                },
            )
        )
    return rows


FIGURES = (
    Figure(
        "misreading",
        "Raw logit and true probability of every token of each pool at the last position of each prompt. The dashed "
        "curve is what exp(logit) would give: a logit alone says nothing about a probability.",
        draw_misreading,
    ),
    Figure(
        "running_text",
        "Share of positions of running text at which a whole pool gets at most so much probability. Dotted: the pool's "
        "share of the vocabulary. What is below 1e-12 stands there.",
        draw_text,
    ),
)
TABLES = (
    Table(
        "summary",
        "Probability of each whole pool (95 % Student t interval over sequences) and how often one of its tokens is "
        "among the likeliest (Wilson, for positions that hang together by sequence).",
        summary_table,
    ),
    Table(
        "misreading", "The highest raw logits at the ends of the prompts, and what they are worth.", misreading_table
    ),
)
