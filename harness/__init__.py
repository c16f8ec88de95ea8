"""A research harness for mechanistic interpretability: how models treat tokens that training hardly ever showed."""

from typing import TYPE_CHECKING, Any

from harness.version import __version__

__all__ = ["__version__", "compare", "find_runs", "load_run", "run"]

if TYPE_CHECKING:
    from harness.notebook import compare, find_runs, load_run, run


def __getattr__(name: str) -> Any:
    # Only when asked for: `import harness` must cost nothing, `harness.run` needs everything that computes and draws.
    if name in __all__:
        from harness import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
