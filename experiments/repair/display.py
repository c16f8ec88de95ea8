"""How a run of exp=repair is shown."""

from collections.abc import Sequence

from experiments.repair.figures import FIGURES
from experiments.repair.tables import TABLES
from harness.measure.formatting import with_interval
from harness.reporting.display import Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_SHOWN = {
    "repaired": "repair_rate",
    "healthy harmed": "healthy_harmed",
    "perplexity": "perplexity_change",
}


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row a method."""
    if not run.details["methods"]:
        return [HeadlineRow("nothing mended", {"glitch tokens": "none is known"})]
    return [
        HeadlineRow(
            one["name"],
            {label: with_interval(*run.interval(f"{one['name']}/{key}")) for label, key in _SHOWN.items()},
        )
        for one in run.details["methods"]
    ]


DISPLAY = Display(headline=headline, figures=FIGURES, tables=TABLES)
