"""How a run of exp=undertrained is shown."""

from collections.abc import Sequence
from typing import Any

from experiments.undertrained.figures import FIGURES
from experiments.undertrained.paper import PAPER
from experiments.undertrained.tables import TABLES
from harness.measure.formatting import number
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


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
    controls = (
        f", of random ones {metrics['controls_verified']} of {metrics['controls']}" if metrics.get("controls") else ""
    )
    doubt = "" if metrics.get("informative") else " (which says nothing: the model fails well-known tokens, too)"
    return Answer(
        f"Of {metrics['candidates_ordinary']:,} ordinary tokens of {run.model} that its weights point at "
        f"{metrics['verified']:,} are verified as under-trained{controls}{doubt}."
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
