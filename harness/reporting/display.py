"""What can be shown of an experiment's runs: a sentence, figures, tables and attention patterns, from stored files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure as Canvas

from harness.errors import Rejected
from harness.reporting.asked import Asked
from harness.reporting.points import PointCloud
from harness.runs import registry
from harness.runs.results.answer import Answer
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

__all__ = [
    "Answer",
    "Asked",
    "AttentionPanel",
    "ColouredText",
    "Curves",
    "Display",
    "DrawnFigure",
    "Figure",
    "PaperFigure",
    "PaperTable",
    "PointCloud",
    "Table",
    "load_display",
]


@dataclass(frozen=True)
class Figure:
    """A picture of one run."""

    name: str
    caption: str
    draw: Callable[[StoredRun], Canvas | None]
    """None where the run has nothing to draw (a model without attention patterns has no head map)."""


@dataclass(frozen=True)
class Table:
    """A table of one run; a column `x` with columns `x ci_low` and `x ci_high` beside it is shown with its interval."""

    name: str
    caption: str
    build: Callable[[StoredRun], pd.DataFrame | None]
    """None, or a table without rows, where the run has nothing to list: neither is shown."""


@dataclass(frozen=True)
class PaperFigure:
    """A picture across runs."""

    name: str
    caption: str
    draw: "Callable[[Sequence[StoredRun]], DrawnFigure | Canvas | None]"
    """None where these runs do not fit it; a `DrawnFigure` where it shows only some of them."""


@dataclass(frozen=True)
class DrawnFigure:
    """A picture across runs, and the runs it really shows."""

    canvas: Canvas
    runs: tuple[StoredRun, ...]


@dataclass(frozen=True)
class PaperTable:
    """A table across runs."""

    name: str
    caption: str
    build: Callable[[Sequence[StoredRun]], pd.DataFrame | None]
    """None where these runs do not fit it."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Lines over one axis, for trackers that draw them by themselves."""

    name: str
    x_label: str
    x: Sequence[float | int]
    lines: Mapping[str, Sequence[float]]
    """By what each shows."""


@dataclass(frozen=True)
class AttentionPanel:
    """Attention patterns to look at by hand, with a label for each head and a string for each token."""

    title: str
    tokens: tuple[str, ...]
    patterns: Float[np.ndarray, "head query key"]
    head_labels: tuple[str, ...]
    strength: float = 0.0
    """How much there is to see: a page opens the panel with the most, of equals the first."""


@dataclass(frozen=True, eq=False)
class ColouredText:
    """A sequence whose tokens are coloured by a number, the lower the darker."""

    title: str
    caption: str
    tokens: tuple[str, ...]
    values: Float[np.ndarray, " token"]
    """Not above 0 (nats); NaN leaves a token white."""


def _nothing(_: StoredRun) -> tuple[()]:
    return ()


def _no_tokens(_: StoredRun) -> None:
    return None


def _no_answer(_: StoredRun) -> None:
    return None


@dataclass(frozen=True)
class Display:
    """Everything that is shown of an experiment's runs. No model is loaded to draw."""

    answer: Callable[[StoredRun], Answer | None] = _no_answer
    """The experiment's question, answered in one sentence; None where a run has nothing to say."""
    headline: Callable[[StoredRun], Sequence[HeadlineRow]] = _nothing
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    clouds: Callable[[StoredRun], Sequence[PointCloud]] = _nothing
    """Tokens as points to hover over."""
    asked: Callable[[StoredRun], Asked | None] = _no_tokens
    """Answers of single tokens, with the prompts in full; None where a run stored none."""
    texts: Callable[[StoredRun], Sequence[ColouredText]] = _nothing
    panels: Callable[[StoredRun], Sequence[AttentionPanel]] = _nothing
    curves: Callable[[StoredRun], Sequence[Curves]] = _nothing
    paper_figures: tuple[PaperFigure, ...] = ()
    paper_tables: tuple[PaperTable, ...] = ()


def load_display(name: str) -> Display:
    """How runs of an experiment are shown; nothing is shown of one that defines no `DISPLAY`."""
    module = registry.part(name, "display")
    display = getattr(module, "DISPLAY", Display())
    if not isinstance(display, Display):
        raise Rejected(f"exp={name}: DISPLAY in {module.__file__} is no harness.reporting.display.Display(...)")
    return display
