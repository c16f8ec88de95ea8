"""Pictures, tables and headline numbers of one undertrained run, from its stored files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from harness.measure.formatting import number
from harness.reporting.display import Figure, Table
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, new_figure
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

INDICATORS = {
    "input_norm": "length of the input row",
    "cosine": "cosine distance to unused rows",
    "centred_cosine": "centred cosine distance",
    "cosine_without_first_pc": "cosine distance without 1st PC",
    "l2": "distance to unused rows",
}
VERIFIED_BELOW = 0.01
_LEAST = 1e-9
_LOW = {
    "bytes": "single byte",
    "utf8_fragments": "part of a character",
    "unreachable": "unreachable",
    "special": "special",
    "without_token": "row without a token",
}


def draw_verification(run: StoredRun) -> MatplotlibFigure | None:
    """Indicator against max_prob of every candidate, with the line below which a token counts as under-trained."""

    best = run.arrays["max_prob"]
    if not len(best) or not np.isfinite(best).any():
        return None
    main = run.details["main_indicator"]
    values = run.arrays[f"indicator/{main}"][run.arrays["candidates"]]
    verified = best < VERIFIED_BELOW
    figure = new_figure(height=2.6)
    axes = figure.subplots()
    for mask, colour, marker, label in (
        (~verified, COLOURS[1], "o", "said when asked"),
        (verified, COLOURS[0], "s", "verified: under-trained"),
    ):
        axes.plot(
            values[mask], np.maximum(best[mask], _LEAST), marker, color=colour, markersize=2.2, alpha=0.6,
            markeredgewidth=0, label=f"{label} ({int(mask.sum())})", rasterized=True,
        )  # fmt: skip
    axes.axhline(VERIFIED_BELOW, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)))
    axes.set_yscale("log")
    axes.set_ylim(top=2)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(f"{INDICATORS[main]} (low: suspicious)")
    axes.set_ylabel("largest probability when asked")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_indicators(run: StoredRun) -> MatplotlibFigure:
    """Every indicator over the vocabulary, the verified tokens marked."""

    names = [name for name in INDICATORS if f"indicator/{name}" in run.arrays]
    candidates = run.arrays["candidates"]
    verified = candidates[run.arrays["max_prob"] < VERIFIED_BELOW]
    figure = new_figure(TWO_COLUMNS, 1.9)
    for position, (axes, name) in enumerate(zip(figure.subplots(1, len(names), sharey=True), names, strict=True)):
        values = run.arrays[f"indicator/{name}"]
        bins = np.linspace(values.min(), values.max(), 60)
        axes.hist(values, bins=bins, color=QUIET, alpha=0.5, label="all tokens")
        if len(verified):
            axes.hist(values[verified], bins=bins, color=COLOURS[0], label="verified: under-trained")
        axes.set_yscale("log")
        if name == run.details["main_indicator"]:
            axes.axvline(run.details["threshold"], color=COLOURS[1], linewidth=0.8, linestyle=(0, (4, 2)))
            axes.plot(
                [], [], color=COLOURS[1], linestyle=(0, (4, 2)), linewidth=0.8, label="candidates lie left of this"
            )
        axes.set_xlabel(INDICATORS[name], fontsize=6)
        if position == 0:
            axes.set_ylabel("tokens")
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure


def verified_table(run: StoredRun) -> pd.DataFrame | None:
    """Every verified token: what it is, how low, how unlikely, and in which longer tokens it is swallowed."""
    records = run.records
    if not len(records) or not records["verified"].any():
        return None

    found = records[records["verified"]]
    table: dict[str, Any] = {
        "id": found["id"],
        "token": found["token"],
        "category": found["category"],
        "indicator": found[f"indicator/{run.details['main_indicator']}"],
        "max prob": found["max_prob"],
        "class": found["class"].str.replace("_", " "),
        "in other tokens": ["  ".join(others) for others in found["in_other_tokens"]],
    }
    if found["exposures"].notna().any():
        table["exposures"] = found["exposures"].astype("Int64")
    return pd.DataFrame(table)


def low_table(run: StoredRun) -> pd.DataFrame | None:
    """Tokens that no text can ask for and whose rows are as low as those of half the verified ones."""

    rows = [
        {"kind": _LOW[name], "id": row["id"], "token": row["token"], "indicator": row["indicator"]}
        for name, low in run.details["low"].items()
        for row in low
        if row["below"]
    ]
    return pd.DataFrame(rows) if rows else None


def exposures_table(run: StoredRun) -> pd.DataFrame | None:
    """How many tokens of each range of training counts become candidates and are verified."""
    rows = run.details.get("by_exposures") or []
    if not rows:
        return None

    def words(low: int, high: int | None) -> str:
        if high is None:
            return f"{low} and more"
        return str(low) if high == low + 1 else f"{low} to {high - 1}"

    return pd.DataFrame(
        [
            {"times shown": words(row["low"], row["high"]), **{k: row[k] for k in ("tokens", "candidates", "verified")}}
            for row in rows
        ]
    )


_COMPARED = {
    "indicator mean": ("indicator_mean", "indicator_mean"),
    "indicator std": ("indicator_std", "indicator_std"),
    "threshold of candidates": ("verification_threshold", "verification_threshold"),
    "candidates": ("candidates", "candidates_tested"),
    "ordinary candidates": ("candidates_ordinary", "candidates_non_special"),
    "verified": ("verified", "verified_count"),
    "soft threshold": ("soft_threshold", "soft_threshold"),
    "below soft threshold": ("below_soft_threshold", "below_soft_threshold"),
    "median verified threshold": ("median_verified_threshold", "median_verified_threshold"),
    "bytes below it": ("bytes_below_median_verified", "single_byte_below"),
}


def published_figures_table(run: StoredRun) -> pd.DataFrame | None:
    """The published figures of a GPT-2 size beside the measured ones."""
    published = run.details.get("published")
    if not published:
        return None

    return pd.DataFrame(
        [
            {"figure": words, "measured": run.metrics.get(ours), "published": published.get(theirs)}
            for words, (ours, theirs) in _COMPARED.items()
        ]
    )


def published_tokens_table(run: StoredRun) -> pd.DataFrame | None:
    """Every token verified there or here, with both probabilities."""
    published = run.details.get("published")
    if not published:
        return None

    records = run.records.set_index("id")
    theirs = {int(token): value for token, value in published["verified"].items()}
    ordinary = records[records["category"] == "ok"]
    rows = []
    for token in sorted({*theirs, *ordinary.index[ordinary["verified"]]}):
        here = records.loc[token] if token in records.index else None
        rows.append(
            {
                "id": token,
                "token": here["token"] if here is not None else "",
                "measured max prob": float(here["max_prob"]) if here is not None else None,
                "published max prob": theirs.get(token),
                "verified here": "no candidate" if here is None else "yes" if here["verified"] else "no",
                "verified there": "yes" if token in theirs else "not listed",
            }
        )
    return pd.DataFrame(rows)


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """How many candidates were verified, here and where it was published."""

    metrics = run.metrics

    def values(verified: Any, candidates: Any, threshold: Any) -> dict[str, str]:
        return {"verified": str(verified), "ordinary candidates": str(candidates), "indicator up to": number(threshold)}

    verified = metrics["verified"] if metrics.get("verified") is not None else "no prompt fits"
    label = "under-trained" if metrics.get("informative") else "under-trained (uninformative)"
    rows = [HeadlineRow(label, values(verified, metrics["candidates_ordinary"], metrics["verification_threshold"]))]
    published = run.details.get("published")
    if published:
        rows.append(
            HeadlineRow(
                "published",
                values(
                    published["verified_count"],
                    published["candidates_non_special"],
                    published["verification_threshold"],
                ),
            )
        )
    return rows


FIGURES = (
    Figure(
        "verification",
        "Candidates: how suspicious their weights are against the largest probability the model gives them when asked. "
        "Below the dashed line a token counts as under-trained (probability under 0.01 everywhere).",
        draw_verification,
    ),
    Figure(
        "indicators",
        "Indicators from the weights over the whole vocabulary, verified tokens in front; low values are suspicious.",
        draw_indicators,
    ),
)
TABLES = (
    Table("verified", "Verified under-trained tokens, the most suspicious first.", verified_table),
    Table("published", "Published figures beside the measured ones.", published_figures_table),
    Table("published_tokens", "Tokens verified here or in the published report.", published_tokens_table),
    Table(
        "low",
        "Tokens no text can ask for, with an indicator as low as that of half of the verified tokens.",
        low_table,
    ),
    Table("exposures", "Candidates and verified tokens by how often training showed them.", exposures_table),
)
