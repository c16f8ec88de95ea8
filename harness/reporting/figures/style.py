"""How every picture looks: one style sheet, two widths, one order of colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

STYLE_SHEET = Path(__file__).with_name("paper.mplstyle")

ONE_COLUMN = 3.25
TWO_COLUMNS = 6.75
"""Widths of a paper's column and page, in inches."""

# Okabe and Ito's colours, told apart with any colour vision; the darker ones first, for thin lines.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A6A00", "#000000")
LINE_STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
WARNING = "#B00020"
"""For what a reader must not overlook."""
QUIET = "#666666"
"""For guides and footers: seen when looked for."""
SEQUENTIAL = "Blues"
DIVERGING = "PuOr"


_WIDEST: ContextVar[float] = ContextVar("widest", default=TWO_COLUMNS)


@contextmanager
def paper_style(width: float = TWO_COLUMNS) -> Iterator[None]:
    """Draw and save under the project's style, whatever the caller's own settings are; `width`: see `widest`."""

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(matplotlib.rc_params_from_file(str(STYLE_SHEET), use_default_template=False))
        before = _WIDEST.set(width)
        try:
            yield
        finally:
            _WIDEST.reset(before)


def widest() -> float:
    """How wide a picture across runs may be in the style in force, in inches: a paper's column, or its page."""
    return _WIDEST.get()


def new_figure(width: float = ONE_COLUMN, height: float = 2.3) -> Figure:
    """An empty picture in inches, outside pyplot's global state (nothing to close, no window, no display needed)."""

    return Figure(figsize=(width, height), layout="constrained")
