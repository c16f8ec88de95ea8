"""Which pools of a run are shown, and in what order."""

from harness.runs.results.stored_run import StoredRun


def pools_shown(run: StoredRun) -> list[str]:
    """The pools measured, in the order of the config (JSON files are sorted); those an experiment adds come last.

    They are the keys of `details["pools"]`; an experiment that writes none measured the config's.
    """
    measured = run.details.get("pools", run.config.get("pools", {}))
    requested = [name for name in run.config.get("pools", {}) if name in measured]
    return requested + [name for name in measured if name not in requested]
