"""Picture, tables and headline of one token's card, from its stored files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from harness.measure.formatting import number
from harness.reporting.display import Figure, Table
from harness.reporting.figures.style import COLOURS, QUIET, TWO_COLUMNS, new_figure
from harness.reporting.figures.tables import HIGH, LOW
from harness.reporting.figures.text import figure_text
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

INDICATORS = {
    "cosine": "cosine distance to unused rows",
    "centred_cosine": "the same, centred",
    "cosine_without_first_pc": "the same, without 1st PC",
    "l2": "distance to unused rows",
    "norm_output": "length of the output row",
    "norm_input": "length of the input row",
}
PROMPTS = {
    "magikarp_input_output": "repeat the input",
    "magikarp_explain": "explain a phrase",
    "magikarp_repeats": "go on repeating",
}
CATEGORIES = {
    "ok": "ordinary: its text encodes to it",
    "byte": "single byte",
    "utf8_fragment": "part of a character",
    "unreachable_one": "unreachable: its text encodes to another token",
    "unreachable_several": "unreachable: its text encodes to several tokens",
    "special": "special",
    "no_token": "row without a token",
}
_NEEDED = 0.01
_LEAST = 1e-9
_LETTERS = 60


def draw_card(run: StoredRun) -> MatplotlibFigure:
    """Where the token stands among all by its weights, and how likely it is said when asked for."""

    card = run.details["card"]
    figure = new_figure(TWO_COLUMNS, 0.9 + 0.3 * max(len(run.details["indicators"]), 4))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_standing(left, run)
    _draw_verification(right, run)
    figure.suptitle(f"{figure_text(card['token'], 40)}  (id {card['id']})", fontsize=8)
    return figure


def _draw_standing(axes: Axes, run: StoredRun) -> None:

    rows = run.details["indicators"]
    for place, row in enumerate(rows):
        values = run.arrays[f"indicator/{row['name']}"]
        # Each number on its own scale from its lowest to its highest token.
        span = float(values.max() - values.min()) or 1.0
        scaled = (values - values.min()) / span
        # A quarter of the row's height, the same every time: which points lie above which says nothing.
        shift = np.random.default_rng(0).uniform(-0.22, 0.22, len(scaled))
        axes.plot(scaled, place + shift, ",", color=QUIET, alpha=0.35, rasterized=True)
        axes.plot((row["value"] - values.min()) / span, place, "o", color=COLOURS[0], markersize=5, zorder=3)
        axes.text(1.03, place, f"{row['rank']:,}", va="center", fontsize=6, color=COLOURS[0])
    axes.set_yticks(range(len(rows)), [INDICATORS[row["name"]] for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(-0.03, 1.02)
    axes.set_xticks([0, 1], ["lowest", "highest"])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"all {run.details['d_vocab']:,} tokens (grey) and this one")
    axes.text(1.03, 1.01, "rank", transform=axes.get_xaxis_transform(), fontsize=6, color=COLOURS[0], va="bottom")
    axes.spines["left"].set_visible(False)


def _draw_verification(axes: Axes, run: StoredRun) -> None:

    rows = run.details["verification"]
    for place, row in enumerate(rows):
        if row["max_prob"] is None:
            axes.text(_LEAST * 2, place, "does not fit the window", va="center", fontsize=6, color=QUIET)
            continue
        axes.plot(
            max(row["max_prob"], _LEAST), place, "o", color=COLOURS[0], label="this token" if place == 0 else None
        )
        if row.get("known_median") is not None:
            label = "well-known tokens, median" if place == 0 else None
            axes.plot(max(row["known_median"], _LEAST), place, "D", color=COLOURS[1], fillstyle="none", label=label)
    axes.axvline(_NEEDED, color=QUIET, linewidth=0.7, linestyle=(0, (4, 2)))
    axes.set_xscale("log")
    axes.set_xlim(_LEAST / 2, 3)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [PROMPTS[row["prompt"]] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("largest probability when asked for")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=1)


def card_table(run: StoredRun) -> pd.DataFrame:
    """What it is."""

    card, details = run.details["card"], run.details
    rows: dict[str, Any] = {
        "id": card["id"],
        "text": card["token"],
        "bytes": card["bytes"] or "not known from its text",
        "kind": CATEGORIES[card["category"]] + (f" ({card['byte_type']})" if card["byte_type"] else ""),
        "type": card["type"].replace("_", "-"),
        "text leads to it": "yes" if card["is_reachable"] else "no",
        "its text encodes to": _names(details["encodes_to"]),
        "made by merge": f"{card['merge_rank']:,} of {card['n_merges']:,}" if card["merge_rank"] else "none",
        "made of": _names(details["made_of"]) or "nothing smaller",
        "merged further into": _names(details["part_of"]) or "nothing",
        "longer tokens that hold it": f"{card['n_superstrings']:,}",
        **{f"shown in training ({name})": f"{count:,}" for name, count in card["exposures"].items()},
    }
    if not card["exposures"]:
        rows["shown in training"] = "not known: nobody counted"
    kept = {name: str(value) for name, value in rows.items() if value != ""}
    return pd.DataFrame({"": list(kept), "is": list(kept.values())})


def _names(rows: Sequence[dict[str, Any]]) -> str:
    return "   ".join(f"{row['token']} ({row['id']})" for row in rows)


def indicators_table(run: StoredRun) -> pd.DataFrame:
    """Every number from the weights, and its rank."""

    return pd.DataFrame(
        [
            {
                "": INDICATORS[row["name"]] + (" (main)" if row["is_main"] else ""),
                "value": row["value"],
                "median of all": row["median"],
                "rank": row["rank"],
                "of": row["n"],
                "lower than": 1 - (row["rank"] + row["same"] - 1) / row["n"],
            }
            for row in run.details["indicators"]
        ]
    )


def neighbours_table(run: StoredRun) -> pd.DataFrame | None:
    """The rows most like it."""

    rows = [
        {"matrix": matrix, "id": row["id"], "token": row["token"], "cosine": row["similarity"]}
        for matrix, found in run.details["neighbours"].items()
        for row in found
    ]
    return pd.DataFrame(rows) if rows else None


def verification_table(run: StoredRun) -> pd.DataFrame:
    """Magikarp's prompts."""

    rows = []
    for row in run.details["verification"]:
        known = f"{row['known_said']} of {row['known_n']}" if row.get("known_n") else "none to try"
        rows.append(
            {
                "prompt": PROMPTS[row["prompt"]],
                "largest probability": row["max_prob"],
                "said": str(row["said"])[:_LETTERS] if row["fits"] else "(does not fit the window)",
                "under-trained by it": "" if row["verified"] is None else "yes" if row["verified"] else "no",
                "well-known tokens said": known if row["fits"] else "",
            }
        )
    return pd.DataFrame(rows)


def census_table(run: StoredRun) -> pd.DataFrame:
    """The three tasks."""

    return pd.DataFrame(
        [
            {
                "task": row["task"],
                "passed": "no right answer" if row["passed"] is None else "yes" if row["passed"] else "no",
                "said": "" if row["answer"] is None else str(row["answer"])[:_LETTERS],
                "symptom": (row["symptom"] or "").replace("_", " "),
                "counts": "yes" if row["informative"] else "no: uninformative",
                "well-known tokens passed": f"{row['known_passed']} of {row['known_n']}",
            }
            for row in run.details["census"]
        ]
    )


def superstrings_table(run: StoredRun) -> pd.DataFrame | None:
    """Longer tokens that hold it."""

    rows = run.details["superstrings"]
    return pd.DataFrame(rows) if rows else None


def context_table(run: StoredRun) -> pd.DataFrame | None:
    """Its logit and its probability behind well-known tokens: one is not the other."""

    metrics = run.metrics
    if metrics.get("context/logit") is None:
        return None
    rows = [
        {
            "behind well-known tokens": words,
            "mean": metrics[key],
            f"mean{LOW}": metrics[f"{key}/ci_low"],
            f"mean{HIGH}": metrics[f"{key}/ci_high"],
            "n": len(run.arrays["context/ids"]),
        }
        for key, words in (("context/logit", "raw logit"), ("context/logprob", "log-probability (nats)"))
    ]
    return pd.DataFrame(rows)


def next_table(run: StoredRun) -> pd.DataFrame:
    """What comes after it."""

    return pd.DataFrame(run.details["next"]).rename(columns={"prob": "probability"})


def _asked(run: StoredRun) -> str:

    if run.metrics.get("max_prob") is None:
        return "no prompt fits"
    return number(run.metrics["max_prob"]) + ("" if run.metrics["verification_informative"] else " (uninformative)")


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The few things one wants to know first."""

    card, metrics = run.details["card"], run.metrics
    glitch = metrics.get("glitch")
    main = next((row for row in run.details["indicators"] if row["is_main"]), None)
    facts = {
        "token": f"{card['token']} (id {card['id']})",
        "kind": CATEGORIES[card["category"]],
        "census": "no verdict" if glitch is None else "glitch token" if glitch else "passes",
        "probability when asked for": _asked(run),
    }
    if main is not None:
        facts[INDICATORS[main["name"]]] = f"{number(main['value'])}, rank {main['rank']:,} of {main['n']:,}"
    if card["exposures"]:
        facts["shown in training"] = f"{card['exposures']['total']:,} times"
    return [HeadlineRow(name, {"value": value}) for name, value in facts.items()]


FIGURES = (
    Figure(
        "card",
        "Left: this token among all by numbers from the weights, each on its own scale, with its rank from below. "
        "Right: the largest probability it gets when Magikarp's prompts ask for it; left of the dashed line it counts "
        "as under-trained.",
        draw_card,
    ),
)
TABLES = (
    Table("card", "What it is.", card_table),
    Table("indicators", "Numbers from the weights; low means under-trained, rank 1 is the lowest.", indicators_table),
    Table("verification", "Asked for with Magikarp's prompts.", verification_table),
    Table("census", "Its answers to the tasks of the census.", census_table),
    Table("neighbours", "Rows most like its own (cosine).", neighbours_table),
    Table(
        "context",
        "The token behind well-known tokens, one at a time: raw logit and log-probability (means over contexts, 95 % "
        "Student t intervals).",
        context_table,
    ),
    Table("next", "What the model expects behind the token alone.", next_table),
    Table("superstrings", "Longer tokens whose text holds it.", superstrings_table),
)
