"""A research harness for mechanistic interpretability: how models treat tokens that training hardly ever showed."""

from typing import TYPE_CHECKING, Any

from harness.version import __version__

__all__ = ["__version__", "load_run", "run"]

if TYPE_CHECKING:
    from harness.notebook import run
    from harness.runs.results.stored_run import load_run


def __getattr__(name: str) -> Any:
    # Only when asked for: `import harness` must cost nothing, `harness.run` needs everything that computes and draws.
    if name == "run":
        from harness.notebook import run

        return run
    if name == "load_run":
        from harness.runs.results.stored_run import load_run

        return load_run
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
