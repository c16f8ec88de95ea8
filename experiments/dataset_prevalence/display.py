"""How a run of exp=dataset_prevalence is shown."""

from collections.abc import Sequence

from experiments.dataset_prevalence.figures import FIGURES
from experiments.dataset_prevalence.paper import PAPER
from experiments.dataset_prevalence.tables import TABLES, documents_with_text
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """Both shares."""
    metrics = run.metrics

    def share(name: str) -> str:
        mean, low, high = (None if value is None else 100 * value for value in run.interval(name))
        if mean is None:
            return "none: empty"
        return f"{with_interval(mean, low, high)} %" if low is not None else f"{number(mean)} %"

    return [
        HeadlineRow(
            "tokens",
            {
                "glitch": f"{metrics['glitch_token_occurrences']:,} of {metrics['tokens']:,}",
                "share": share("token_share"),
            },
        ),
        HeadlineRow(
            "documents",
            {
                "glitch": f"{metrics['documents_with_glitch_tokens']:,} of {documents_with_text(run):,}",
                "share": share("document_share"),
            },
        ),
        HeadlineRow(
            "glitch tokens met", {"glitch": f"{metrics['glitch_tokens_met']:,} of {metrics['glitch_tokens_known']:,}"}
        ),
    ]


def answer(run: StoredRun) -> Answer | None:
    """Share of the data that are glitch tokens."""
    metrics = run.metrics
    if not metrics["tokens"]:
        return Answer("The data set holds no text.")
    return Answer(
        f"{metrics['glitch_token_occurrences']:,} of {metrics['tokens']:,} tokens of the data set "
        f"({with_interval(*run.interval('token_share'))}) are glitch tokens of {run.model}, in "
        f"{metrics['documents_with_glitch_tokens']:,} of {documents_with_text(run):,} documents."
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
