"""How a run of exp=repeat_one_token is shown."""

from collections.abc import Sequence

from experiments.repeat_one_token.figures import FIGURES
from experiments.repeat_one_token.paper import PAPER
from experiments.repeat_one_token.tables import TABLES
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display
from harness.reporting.pools import pools_shown
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row a pool: how many start, how many go on, how long, and whether copies look like a first token."""
    rows = []
    for pool in pools_shown(run):
        metrics = run.metrics
        ends_after = number(metrics[f"{pool}/goes_on_median"], 0) or "not half end"
        values = {
            "started": f"{metrics[f'{pool}/n_started']} of {metrics[f'{pool}/n_tokens']}",
            "goes to the end": with_interval(*run.interval(f"{pool}/still_going"), 2),
            "ends after": ends_after if metrics[f"{pool}/n_started"] else "",
        }
        if metrics[f"{pool}/norm"] is not None:
            copies, others = (number(metrics[f"{pool}/{name}"]) for name in ("norm", "norm_control"))
            values["norm (control)"] = f"{copies} ({others})"
        if metrics[f"{pool}/attention_first"] is not None:
            values["attention to first copy"] = number(metrics[f"{pool}/attention_first"])
        rows.append(HeadlineRow(pool, values))
    return rows


def answer(run: StoredRun) -> Answer | None:
    """How many of each pool are ever said again."""
    parts = [
        f"{run.metrics[f'{pool}/n_started']} of {run.metrics[f'{pool}/n_tokens']} {pool} tokens"
        for pool in pools_shown(run)
    ]
    if not parts:
        return None
    return Answer(f"Repeated to the end of the context, {_listed(parts)} are ever what {run.model} predicts next.")


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
