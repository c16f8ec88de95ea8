"""How a run of exp=echo_token is shown."""

from collections.abc import Sequence

from experiments.echo_token.figures import FIGURES
from experiments.echo_token.paper import PAPER
from experiments.echo_token.tables import SETTINGS, TABLES, settings, success_key
from harness.measure.formatting import with_interval
from harness.reporting.display import Answer, Display
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
    parts = [f"{with_interval(*run.interval(success_key(pool, 'greedy')), 2)} of {pool}" for pool in pools_shown(run)]
    return Answer(f"Shown echoes of a token, {run.model} says it once more: {', '.join(parts)} tokens.")


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
