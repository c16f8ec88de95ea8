"""What a tracker is, and the promise that a failing one never fails a run."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from harness.reporting.display import Display
from harness.reporting.tracking._csv_tracker import CsvTracker
from harness.reporting.tracking._wandb_tracker import WandbTracker
from harness.runs.config.schema import TrackerConfig, TrackerKind
from harness.runs.results.stored_run import StoredRun

log = logging.getLogger(__name__)

TIME_LIMIT = 300.0
"""Seconds to wait for a tracker that does not answer."""


@runtime_checkable
class Tracker(Protocol):
    """Somewhere a finished run is shown besides its folder."""

    def log_run(self, run: StoredRun, display: Display) -> str | None:
        """Log a run once, at its end, from its files; a line that says where, None where it was not logged."""

    def group_found(self, run: StoredRun) -> None:
        """A sweep came upon a run that was there: put what was logged of it into the sweep's group."""


class NullTracker:
    """`tracker=none`."""

    def log_run(self, run: StoredRun, display: Display) -> None:
        """Do nothing."""

    def group_found(self, run: StoredRun) -> None:
        """Do nothing."""


class BoundedTracker:
    """A tracker whose errors and hangs become one warning."""

    def __init__(self, tracker: Tracker, name: str, time_limit: float = TIME_LIMIT) -> None:
        self._tracker = tracker
        self._name = name
        self._time_limit = time_limit

    def log_run(self, run: StoredRun, display: Display) -> str | None:
        """Log the run, or warn that it was not logged."""
        return self._bounded(run, lambda: self._tracker.log_run(run, display))

    def group_found(self, run: StoredRun) -> None:
        """Group the run, or warn that it was not."""

        def group() -> None:
            self._tracker.group_found(run)

        self._bounded(run, group)

    def _bounded(self, run: StoredRun, act: Callable[[], str | None]) -> str | None:
        problem: list[str] = []
        said: list[str | None] = []

        def work() -> None:
            try:
                said.append(act())
            # Everything, SystemExit too: a failing tracker must not end the run.
            except BaseException as error:
                problem.append(f"{type(error).__name__}: {error}")
                log.debug("%s failed", self._name, exc_info=True)

        # A daemon thread: one that hangs on the network does not keep the process alive.
        thread = threading.Thread(target=work, name=f"tracker-{self._name}", daemon=True)
        thread.start()
        thread.join(self._time_limit)
        if thread.is_alive():
            problem.append(f"no answer within {self._time_limit:.0f} seconds")
        if problem:
            reason = " ".join(problem[0].split())
            log.warning("%s did not take run %s (%s); the run itself is complete", self._name, run.run_id, reason)
        return said[0] if said else None


def make_tracker(config: TrackerConfig, results_dir: Path, sweep_id: str | None) -> Tracker:
    """The tracker that a config names; whatever it writes goes below `results_dir`."""
    if config.kind is TrackerKind.NONE:
        return NullTracker()
    if config.kind is TrackerKind.CSV:
        return BoundedTracker(CsvTracker(results_dir), "the table of runs")

    return BoundedTracker(WandbTracker(config, results_dir, sweep_id), "wandb")
