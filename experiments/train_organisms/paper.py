"""Arms of training, over runs."""

from collections.abc import Sequence

from harness.reporting.figures.across import Across, Part, Quantity
from harness.runs.results.stored_run import StoredRun


def _arms(run: StoredRun) -> Sequence[Part]:
    return [Part(arm, label) for arm, label in run.details["arms"].items() if run.metrics[f"{arm}/comparable"]]


PAPER = Across(
    "train_organisms",
    "Arms of training that learnt enough to be compared: well-shown and never-shown tokens that are copied, and the "
    "mean cosine of never-shown rows to their centroid.",
    (
        Quantity("{part}/well_shown/copied", "well-shown, copied"),
        Quantity("{part}/dose_0/copied", "never shown, copied"),
        Quantity("{part}/cosine/unembedding/never_shown", "never shown: cosine of rows"),
    ),
    _arms,
)
