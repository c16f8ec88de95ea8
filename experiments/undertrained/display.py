"""How a run of exp=undertrained is shown."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.undertrained.figures import FIGURES
from experiments.undertrained.paper import PAPER
from experiments.undertrained.tables import TABLES
from harness.measure.formatting import number
from harness.models.answers.magikarp import VERIFIED_BELOW
from harness.reporting.asked import Said, TokenCard, prompts_of
from harness.reporting.display import Answer, Asked, Display, PointCloud
from harness.reporting.points import Axis
from harness.reporting.words import CATEGORIES, INDICATORS
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_UNLIKELY, _LIKELY = f"below {VERIFIED_BELOW:g}", f"{VERIFIED_BELOW:g} or more"


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """How many candidates were verified, here and where it was published."""
    metrics = run.metrics

    def values(verified: Any, candidates: Any, threshold: Any) -> dict[str, str]:
        return {"verified": str(verified), "ordinary candidates": str(candidates), "indicator up to": number(threshold)}

    verified = metrics["verified"] if metrics.get("verified") is not None else "no prompt fits"
    label = "under-trained" if metrics.get("informative") else "under-trained (uninformative)"
    if metrics.get("weights_rank") == 0:
        label += " (the weights do not rank: ask instead)"
    rows = [HeadlineRow(label, values(verified, metrics["candidates_ordinary"], metrics["verification_threshold"]))]
    if metrics.get("controls"):
        rows.append(HeadlineRow("random tokens", values(metrics["controls_verified"], metrics["controls"], None)))
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


def answer(run: StoredRun) -> Answer | None:
    """How many candidates are verified, beside random tokens."""
    metrics = run.metrics
    if metrics.get("verified") is None:
        return Answer(f"Candidates of {run.model} can't be verified: no prompt fits.")
    if not metrics["candidates_ordinary"]:
        return Answer(f"The weights of {run.model} point at no ordinary token.")
    controls = (
        f", of random ones {metrics['controls_verified']} of {metrics['controls']}" if metrics.get("controls") else ""
    )
    doubt = "" if metrics.get("informative") else " (which says nothing: the model fails well-known tokens, too)"
    return Answer(
        f"Of {metrics['candidates_ordinary']:,} ordinary tokens of {run.model} that its weights point at "
        f"{metrics['verified']:,} are verified as under-trained{controls}{doubt}."
    )


def asked(run: StoredRun) -> Asked:
    """What every candidate was answered with, prompt by prompt."""
    prompts = run.details["prompts"]
    cards = tuple(_card(row, [name for name in prompts if f"{name}/max_prob" in row]) for row in run.record_rows())
    return Asked(cards, prompts_of(prompts))


def _card(row: dict[str, Any], names: Sequence[str]) -> TokenCard:
    said = []
    for name in names:
        if (probability := row[f"{name}/max_prob"]) is not None:
            is_bad = probability < VERIFIED_BELOW
            said.append(Said(name, row[f"{name}/said"], _UNLIKELY if is_bad else _LIKELY, is_bad))
    facts = {
        "class": str(row["class"]).replace("_", " "),
        "kind": CATEGORIES[row["category"]],
        "shown in training": row["exposures"],
        **{words: row.get(f"indicator/{name}") for name, words in INDICATORS.items()},
        "largest probability": row["max_prob"],
        **{f"largest probability, {name}": row[f"{name}/max_prob"] for name in names},
        "in longer tokens": "  ".join(row["in_other_tokens"]),
    }
    return TokenCard(int(row["id"]), str(row["token"]), facts, tuple(said))


def clouds(run: StoredRun) -> Sequence[PointCloud]:
    """The candidates as in the figure."""
    main = run.details["main_indicator"]
    rows = [row for row in run.record_rows() if row["max_prob"] is not None]
    if not rows:
        return ()
    best = np.array([row["max_prob"] for row in rows], dtype=np.float64)
    return (
        PointCloud(
            "candidates",
            "How suspicious their weights are against the largest probability the model gives them when asked.",
            Axis(f"{INDICATORS[main]} (low: suspicious)"),
            Axis("largest probability when asked", is_log=True),
            ("said when asked", "verified: under-trained"),
            np.array([row["id"] for row in rows]),
            tuple(row["token"] for row in rows),
            np.array([row[f"indicator/{main}"] for row in rows], dtype=np.float64),
            best,
            (best < VERIFIED_BELOW).astype(np.int64),
        ),
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    clouds=clouds,
    asked=asked,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
