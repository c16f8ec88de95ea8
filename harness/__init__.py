"""A research harness for mechanistic interpretability: how models treat tokens that training hardly ever showed."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load_run", "run"]

if TYPE_CHECKING:
    from harness.notebook import run
    from harness.runs.results.stored_run import load_run


def __getattr__(name: str) -> Any:
    # Lazy: `import harness` must cost nothing, `harness.run` needs Hydra and pandas.
    if name == "run":
        from harness.notebook import run

        return run
    if name == "load_run":
        from harness.runs.results.stored_run import load_run

        return load_run
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
