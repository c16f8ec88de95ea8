"""How a run of exp=token_audit is shown."""

from experiments.token_audit.figures import FIGURES
from experiments.token_audit.tables import TABLES
from harness.reporting.display import Display
from harness.reporting.words import CATEGORY_COUNTS
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> list[HeadlineRow]:
    """Counts and shares of each kind."""
    total = run.metrics.get("ids") or 0
    return [
        HeadlineRow(words, {"ids": f"{count:,}", "share": f"{count / total:.2%}" if total else ""})
        for name, words in CATEGORY_COUNTS.items()
        if (count := run.metrics.get(name)) is not None and (count or name != "no_token")
    ]


DISPLAY = Display(headline=headline, figures=FIGURES, tables=TABLES)
