"""The same run from a notebook: `harness.run("repeat_tokens", "model=pocket", "exp.seq_len=50")`."""

from harness.pipeline import execute
from harness.runs.config.compose import compose_run
from harness.runs.results.stored_run import StoredRun


def run(experiment: str, *overrides: str) -> StoredRun:
    """Do (or resume, or find) the run that `python -m harness exp=<experiment> <overrides>` does, and return it.

    Raises `Rejected` or `RunFailed`, whose messages are the lines the command would print.
    """
    return execute(compose_run([f"exp={experiment}", *overrides]))
