"""A run from its config to what a person sees: compute, draw, report, track."""

from typing import Any

from harness.errors import fields_below
from harness.reporting import console
from harness.reporting.display import load_display
from harness.reporting.drawing import draw
from harness.reporting.tracking import make_tracker
from harness.runs.config.rendered import config_yaml
from harness.runs.config.schema import RunConfig
from harness.runs.folder import RunFolder
from harness.runs.lifecycle import locked, open_run
from harness.runs.preparing import Prepared, find_complete, prepare
from harness.runs.results.stored_run import StoredRun


def execute(config: RunConfig[Any]) -> StoredRun:
    """Do the run, or return it where a complete one with the same id exists (unless `force`).

    Raises `Rejected` (nothing was computed, nothing is left behind) or `RunFailed` (the folder says how far it got).
    """
    return execute_prepared(prepare(config))


@fields_below("exp.")
def execute_prepared(prepared: Prepared) -> StoredRun:
    """The same for a run that was prepared before."""
    with locked(prepared):
        existing = find_complete(prepared)
        if existing is None:
            return _compute(prepared)
        if prepared.config.sweep_id is not None:
            tracker = make_tracker(prepared.config.tracker, prepared.config.results_dir, prepared.config.sweep_id)
            tracker.group_found(existing)
        if not prepared.has_other_reference:
            return existing
        # Published figures change no answer, only what is drawn beside it.
        folder = RunFolder(prepared.folder)
        folder.write_text("config.yaml", config_yaml(prepared.config))
        redrawn = StoredRun(prepared.folder)
        draw(redrawn, folder, load_display(prepared.experiment.name))
        return redrawn


def _compute(prepared: Prepared) -> StoredRun:
    config, display = prepared.config, load_display(prepared.experiment.name)
    with open_run(prepared) as opened:
        computed = opened.compute()
        if opened.run.store is not None:
            console.show(opened.run.store.summary())
        with opened.run.timer("draw"):
            draw(computed, opened.folder, display)
        stored = opened.complete()
    where = make_tracker(config.tracker, config.results_dir, config.sweep_id).log_run(stored, display)
    if where is not None:
        console.show(where)
    return stored
