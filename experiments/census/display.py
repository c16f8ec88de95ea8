"""How a run of exp=census is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.census.agreement_tables import asked_wordings
from experiments.census.figures import FIGURES
from experiments.census.paper import EXPOSURES, PAPER
from experiments.census.published_tables import SYMPTOMS, TYPES, tasks
from experiments.census.tables import TABLES
from harness.glitch.census.rules import VerdictRule
from harness.measure.formatting import number, with_interval
from harness.reporting.asked import judged_cards, prompts_of
from harness.reporting.display import Answer, Asked, Display, PointCloud
from harness.reporting.points import Axis
from harness.reporting.words import VERDICTS, spaced
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun
from harness.tokens.kinds import LABELS

_KINDS = {kind.value: label for kind, label in LABELS.items()}


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The rate first, then what it rests on."""
    by_agreement = run.details["verdict"] == VerdictRule.AGREEMENT.value
    return _of_agreement(run) if by_agreement else _of_tasks(run)


def _of_agreement(run: StoredRun) -> Sequence[HeadlineRow]:
    metrics = run.metrics
    rests_on = f"{metrics['counting_wordings']} wordings, {metrics['counting_families']} families"
    if not metrics["tested"]:
        rows = [HeadlineRow("glitch tokens", {"tokens": "nothing can be said", "share": "", "rests on": rests_on})]
    else:
        rows = [
            HeadlineRow(
                label,
                {
                    "tokens": "can't be decided"
                    if metrics[share] is None
                    else f"{metrics[count]:,} of {metrics[of]:,}",
                    "share": with_interval(*run.interval(share)),
                    "rests on": rests_on,
                },
            )
            for label, count, of, share in (
                ("glitch tokens", "glitch_tokens", "tested", "glitch_rate"),
                ("undecided (one family fails)", "undecided_tokens", "tested", "undecided_rate"),
                ("only by the wording", "prompt_dependent", "sample", "prompt_dependent_share"),
            )
        ]
    for name in run.details["wordings"]:
        key = f"wording/{name}"
        uninformative = "" if metrics[f"{key}/counts"] else " uninformative"
        failed, by_wording = metrics.get(f"{key}/failed"), metrics.get(f"{key}/artefact_tokens", 0)
        own = "" if failed is None else f"{failed:,} fail, {by_wording:,} of these by the wording"
        rows.append(
            HeadlineRow(
                f"wording {name}",
                {
                    "tokens": own,
                    "share": with_interval(*run.interval(f"{key}/pass_rate")),
                    "rests on": "well-known: " + number(metrics.get(f"{key}/calibration_pass_rate")) + uninformative,
                },
            )
        )
    return rows


def _of_tasks(run: StoredRun) -> Sequence[HeadlineRow]:
    metrics = run.metrics

    def rate(key: str) -> str:
        return with_interval(*run.interval(key))

    tested = metrics.get("tested") or 0
    verdict = f"{metrics.get('glitch_tokens')} of {tested}" if tested else "no verdict"
    rows = [HeadlineRow("glitch tokens", {"tokens": verdict, "share": rate("glitch_rate")})]
    for name in tasks(run):
        informative = metrics.get(f"{name}/informative")
        n_prompted = metrics.get(f"{name}/asked") or 0
        rows.append(
            HeadlineRow(
                f"pass {name}",
                {
                    "tokens": f"{metrics.get(f'{name}/passed')} of {n_prompted}" if n_prompted else "not asked",
                    "share": rate(f"{name}/pass_rate"),
                    "on well-known": number(metrics.get(f"{name}/calibration_pass_rate"))
                    + ("" if informative else " uninformative"),
                },
            )
        )
    return rows


def answer(run: StoredRun) -> Answer | None:
    """The share of glitch tokens, and what it rests on."""
    metrics, tested = run.metrics, run.metrics.get("tested") or 0
    by_agreement = run.details["verdict"] == VerdictRule.AGREEMENT.value
    if not tested or metrics.get("glitch_rate") is None:
        none = "no wordings of two families count" if by_agreement else "no task counts"
        return Answer(f"Which tokens of {run.model} are glitch tokens can't be told: {none} for it.")
    share = with_interval(*run.interval("glitch_rate"))
    every = f"each of {metrics['counting_wordings']} wordings" if by_agreement else "every task that counts"
    return Answer(
        f"{metrics['glitch_tokens']:,} of {tested:,} tokens of {run.model} fail {every}: "
        f"an estimated {share} of its vocabulary are glitch tokens."
    )


def asked(run: StoredRun) -> Asked:
    """Every answer to every wording, or task."""
    by_agreement = run.details["verdict"] == VerdictRule.AGREEMENT.value
    names = asked_wordings(run) if by_agreement else tasks(run)
    return Asked(judged_cards(run.record_rows(), names, _facts), prompts_of(run.details["questions"]))


def _facts(row: Mapping[str, Any]) -> Mapping[str, Any]:
    decided = {True: VERDICTS["glitch"], False: VERDICTS["not_glitch"], None: VERDICTS["no_verdict"]}
    return {
        "verdict": VERDICTS[row["verdict"]] if "verdict" in row else decided[row["glitch"]],
        "wordings that count: failed": row.get("failed"),
        "asked": row.get("asked"),
        "kind": _KINDS.get(str(row.get("kind"))),
        "type": TYPES.get(str(row.get("type"))),
        "symptom": SYMPTOMS.get(str(row.get("symptom")), spaced(row.get("symptom"))),
        "margin (logits)": row.get("margin"),
        "shown in training": row.get("exposures"),
    }


def clouds(run: StoredRun) -> Sequence[PointCloud]:
    """How far above the best other answer each token is, by how often training showed it; where that is known."""
    rows = [row for row in run.record_rows() if row.get("exposures") is not None and row.get("margin") is not None]
    if not rows:
        return ()
    names = list(VERDICTS)
    return (
        PointCloud(
            "margin by exposures",
            "By how many logits a token is above the best other answer where it must be said, mean over the wordings "
            "it was asked in, against how often training showed it.",
            Axis("times shown in training", is_log=True),
            Axis("margin (logits)"),
            tuple(VERDICTS.values()),
            np.array([row["id"] for row in rows]),
            tuple(row["token"] for row in rows),
            np.array([row["exposures"] for row in rows], dtype=np.float64),
            np.array([row["margin"] for row in rows], dtype=np.float64),
            np.array([names.index(row["verdict"]) for row in rows]),
        ),
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    clouds=clouds,
    asked=asked,
    paper_figures=(*EXPOSURES.figures, *PAPER.figures),
    paper_tables=PAPER.tables,
)
