"""Which runs a picture across runs really shows, where that is not all it was offered."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from matplotlib.figure import Figure

from harness.runs.results.stored_run import StoredRun

_SOURCES: WeakKeyDictionary[Figure, tuple[StoredRun, ...]] = WeakKeyDictionary()


def drawn_from(figure: Figure, runs: Sequence[StoredRun]) -> Figure:
    """The same picture, marked as showing only `runs`: its footer and sidecar name these."""
    _SOURCES[figure] = tuple(runs)
    return figure


def sources(figure: Figure, offered: Sequence[StoredRun]) -> Sequence[StoredRun]:
    """The runs a picture was marked with, or all it was offered."""
    return _SOURCES.get(figure, tuple(offered))
