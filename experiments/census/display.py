"""How a run of exp=census is shown."""

from collections.abc import Sequence

from experiments.census.figures import FIGURES
from experiments.census.paper import PAPER
from experiments.census.published_tables import tasks
from experiments.census.tables import TABLES
from harness.glitch.census.rules import VerdictRule
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


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
        rests_on = "wordings of two families" if by_agreement else "task"
        return Answer(f"Which tokens of {run.model} are glitch tokens can't be told: no {rests_on} count for it.")
    share = with_interval(*run.interval("glitch_rate"))
    every = f"each of {metrics['counting_wordings']} wordings" if by_agreement else "every task that counts"
    return Answer(
        f"{metrics['glitch_tokens']:,} of {tested:,} tokens of {run.model} fail {every}: "
        f"an estimated {share} of its vocabulary are glitch tokens."
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
