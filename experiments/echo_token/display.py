"""How a run of exp=echo_token is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiments.echo_token.figures import FIGURES
from experiments.echo_token.paper import PAPER
from experiments.echo_token.tables import SETTINGS, TABLES, said_instead, settings, success_key
from harness.measure.formatting import with_interval
from harness.reporting.asked import RIGHT, WRONG, Said, TokenCard, prompts_of
from harness.reporting.display import Answer, Asked, Display
from harness.reporting.pools import pools_shown
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row for each pool."""
    if not run.details.get("fits"):
        needed, window = run.details.get("n_needed"), run.details.get("n_ctx")
        return [HeadlineRow("echo test", {"result": f"uninformative: {needed} tokens, the window holds {window}"})]
    rows = []
    shown = {name: SETTINGS[name] for name in ("greedy", "sampled")} | {"article_greedy": "article's ban (artefact)"}
    for pool in pools_shown(run):
        values = {
            words: with_interval(*run.interval(success_key(pool, name)), digits=2)
            for name, words in shown.items()
            if name in settings(run)
        }
        rows.append(HeadlineRow(pool, values))
    return rows


def answer(run: StoredRun) -> Answer | None:
    """How often each pool's tokens are echoed once more."""
    if not run.details.get("fits"):
        return Answer(f"The echoes do not fit into the context of {run.model}.")
    shares = {pool: with_interval(*run.interval(success_key(pool, "greedy")), 2) for pool in pools_shown(run)}
    parts = [f"{share} of {pool}" for pool, share in shares.items() if share]
    if not parts:
        return None
    return Answer(f"Shown echoes of a token, {run.model} says it once more: {', '.join(parts)} tokens.")


def asked(run: StoredRun) -> Asked | None:
    """What was said instead of every token, setting by setting."""
    if not run.details.get("fits"):
        return None
    shown = settings(run)
    return Asked(
        tuple(
            TokenCard(
                int(row["id"]), str(row["token"]), {"pool": row["pool"]}, tuple(_said(row, name) for name in shown)
            )
            for row in run.record_rows()
        ),
        tuple(replace(prompt, name="the prompt") for prompt in prompts_of({"": run.details["prompt"]})),
    )


def _said(row: Mapping[str, Any], setting: str) -> Said:
    right, n = row[f"{setting}/successes"], row[f"{setting}/trials"]
    verdict = RIGHT if right == n else WRONG if not right else "sometimes right"
    return Said(SETTINGS[setting], said_instead(row[f"{setting}/instead"]), verdict, right < n)


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    asked=asked,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
