"""Which pools of a run are shown, and in what order."""

from harness.runs.results.stored_run import StoredRun


def pools_shown(run: StoredRun) -> list[str]:
    """The pools measured, in the order of the config (JSON files are sorted); those an experiment adds come last."""
    measured = run.details.get("pools", {})
    requested = [name for name in run.config.get("pools", {}) if name in measured]
    return requested + [name for name in measured if name not in requested]
