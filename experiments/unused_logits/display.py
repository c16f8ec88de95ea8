"""How a run of exp=unused_logits is shown."""

from collections.abc import Sequence

from experiments.unused_logits.figures import FIGURES
from experiments.unused_logits.paper import PAPER
from experiments.unused_logits.tables import TABLES
from harness.measure.formatting import number
from harness.reporting.display import Answer, Display
from harness.reporting.pools import pools_shown
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def _interval(mean: float, low: float | None, high: float | None) -> str:
    """Mean and interval, each with digits of its own: they may be tiny."""
    ends = f" [{number(low, 2)}, {number(high, 2)}]" if low is not None and high is not None else ""
    return f"{number(mean, 2)}{ends}"


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row a pool, for running text, and the misreading."""
    metrics = run.metrics
    rows = []
    for pool in pools_shown(run):
        total, top = f"{pool}/text/total_probability", f"{pool}/text/in_top_k"
        rows.append(
            HeadlineRow(
                pool,
                {
                    "probability of all": _interval(*run.interval(total)),
                    f"in top {run.details['top_k']}": number(metrics[top], 2),
                    "highest logit": number(metrics[f"{pool}/last/logit_max"], 2),
                    "its probability": number(metrics[f"{pool}/last/probability_of_logit_max"]),
                },
            )
        )
    return rows


def answer(run: StoredRun) -> Answer | None:
    """The probability of a pool in running text."""
    pools = pools_shown(run)
    if not pools:
        return None

    def given(pool: str) -> str:
        share = _interval(*run.interval(f"{pool}/text/total_probability"))
        top = number(run.metrics[f"{pool}/text/in_top_k"], 2)
        return (
            f"all {pool} tokens together {share} of the probability (one of them in its top {run.details['top_k']} in "
            f"{top} of places)"
        )

    return Answer(f"In running text {run.model} gives {'; '.join(map(given, pools))}.")


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
