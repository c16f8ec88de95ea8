"""What interventions restore, across models and seeds."""

from collections.abc import Sequence

from experiments.where_it_breaks.tables import prefix
from harness.reporting.figures.across import Across, Part, Quantity, Scale
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun


def _interventions(run: StoredRun) -> Sequence[Part]:
    pools = pools_shown(run)
    before = prefix(run, pools[0])
    of = f" ({pools[0]})" if len(pools) > 1 else ""
    return [Part(one["name"], f"{one['label']}{of}", before) for one in run.details["interventions"]]


PAPER = Across(
    "where_it_breaks",
    "Share of the lost identity effect that each intervention restores (first pool), and the share of their own that "
    "well-known partners keep under the same one.",
    (
        Quantity("restored/{part}", "restored (share)", Scale.DIFFERENCE),
        Quantity("control/{part}", "partners keep (share)", Scale.DIFFERENCE),
    ),
    _interventions,
)
