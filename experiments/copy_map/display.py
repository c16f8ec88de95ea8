"""How a run of exp=copy_map is shown."""

from collections.abc import Sequence

import numpy as np

from experiments.copy_map.config import threshold_key
from experiments.copy_map.figures import FIGURES
from experiments.copy_map.paper import EXPOSURES, PAPER
from experiments.copy_map.tables import TABLES
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display, PointCloud
from harness.reporting.points import Axis
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_SAYS_NOTHING = " (says nothing about training: well-known ones are not copied either)"


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """What is not copied, whether that means anything, and how far down it goes."""
    metrics = run.metrics

    def row(label: str, hits: str, n: str, share: str) -> HeadlineRow:
        counts = f"{metrics[hits]:,} of {metrics[n]:,}"
        return HeadlineRow(label, {"tokens": counts, "share": with_interval(*run.interval(share))})

    label = "not copied" + ("" if metrics["informative"] else _SAYS_NOTHING)
    rows = [
        row(label, "not_copied", "tokens", "not_copied_share"),
        row("well-known, copied", "calibration/copied", "calibration/n", "calibration/copied_share"),
    ]
    for threshold in run.details["thresholds"]:
        key = threshold_key(threshold)
        rows.append(row(f"log-prob below {number(threshold, 1)}", key, "tokens", f"{key}_share"))
    if metrics.get("worst/n"):
        rows.append(row("worst, asked again: not copied", "worst/not_copied", "worst/n", "worst/not_copied_share"))
    return rows


def answer(run: StoredRun) -> Answer | None:
    """The share not copied, beside well-known tokens."""
    metrics = run.metrics
    missed, known = (with_interval(*run.interval(key)) for key in ("not_copied_share", "calibration/copied_share"))
    says_nothing = "" if metrics["informative"] else ", so that this says nothing of training"
    beside = f"; of well-known ones it copies {known}{says_nothing}" if known else ""
    return Answer(
        f"In sequences seen twice {run.model} does not copy {metrics['not_copied']:,} of {metrics['tokens']:,} tokens "
        f"({missed}){beside}."
    )


def clouds(run: StoredRun) -> Sequence[PointCloud]:
    """Every token with and without its earlier copy."""
    rows = run.record_rows()
    if not rows:
        return ()
    return (
        PointCloud(
            "every token",
            "Log-prob of each token where the sequence holds an earlier copy of it, against where it does not, mean "
            "over its appearances; on the diagonal nothing is copied.",
            Axis("log-prob without an earlier copy (nats)"),
            Axis("log-prob after an earlier copy (nats)"),
            ("copied", "not copied"),
            np.array([row["id"] for row in rows]),
            tuple(row["token"] for row in rows),
            np.array([row["logprob_control"] for row in rows], dtype=np.float64),
            np.array([row["logprob"] for row in rows], dtype=np.float64),
            np.array([int(row["not_copied"]) for row in rows]),
        ),
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    clouds=clouds,
    paper_figures=(*EXPOSURES.figures, *PAPER.figures),
    paper_tables=PAPER.tables,
)
