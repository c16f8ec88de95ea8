"""How a run of exp=token_audit is shown."""

from experiments.token_audit.figures import FIGURES
from experiments.token_audit.paper import PAPER
from experiments.token_audit.tables import TABLES
from harness.reporting.display import Answer, Display
from harness.reporting.words import CATEGORY_COUNTS
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_LOSSES = {
    "lost/bytes": ("bytes that do not come back", 256),
    "lost/characters": ("characters that do not come back", 1_112_064),
}


def headline(run: StoredRun) -> list[HeadlineRow]:
    """Counts and shares of each kind, and of what does not come back."""
    total = run.metrics.get("ids") or 0
    kinds = [
        HeadlineRow(words, {"count": f"{count:,}", "share": f"{count / total:.2%}" if total else ""})
        for name, words in CATEGORY_COUNTS.items()
        if (count := run.metrics.get(name)) is not None and (count or name != "no_token")
    ]
    losses = [
        HeadlineRow(words, {"count": f"{count:,}", "share": f"{count / of:.2%}"})
        for name, (words, of) in _LOSSES.items()
        if (count := run.metrics.get(name)) is not None
    ]
    return kinds + losses


def answer(run: StoredRun) -> Answer | None:
    """How many ids text never leads to."""
    metrics = run.metrics
    label = run.model or (run.manifest.get("tokenizer") or {}).get("label") or "the tokenizer"
    total = metrics.get("ids") or 0
    if not total:
        return None
    rows = f", {metrics['no_token']:,} have no token" if metrics.get("no_token") else ""
    lost = metrics.get("lost/bytes")
    bytes_lost = "" if lost is None else f"; {lost} of 256 bytes do not come back"
    return Answer(
        f"Of {total:,} ids of {label} {metrics.get('unreachable', 0):,} are reached by no text{rows}{bytes_lost}."
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
