"""The one place that speaks to the person at the terminal."""

import logging
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text


class _OwnWarnings(logging.Handler):
    """Warnings of our own packages, one line each, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{record.levelname.lower()}: {record.getMessage()}\n")
        except Exception:
            self.handleError(record)


def configure_logging() -> None:
    """Show warnings of `harness` and `experiments`; keep third-party chatter off the screen."""
    for name in ("harness", "experiments"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        if not any(isinstance(handler, _OwnWarnings) for handler in logger.handlers):
            handler = _OwnWarnings(level=logging.WARNING)
            logger.addHandler(handler)


def show(text: str = "") -> None:
    """One piece of text on stdout; what the terminal cannot encode is shown as an escape, never an error."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, errors="backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has read enough: end as other programs do, without a traceback now or when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None


def paragraph(text: str) -> None:
    """A sentence on stdout, cut between words where the terminal ends."""
    show(textwrap.fill(text, width=Console(file=sys.stdout).width, break_long_words=False, break_on_hyphens=False))


def warn(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"warning: {text}\n")


def fail(text: str) -> None:
    """The one line that says why a command stopped."""
    encoding = sys.stderr.encoding or "utf-8"
    line = " ".join(text.split("\n"))
    sys.stderr.write(f"error: {line}\n".encode(encoding, errors="backslashreplace").decode(encoding))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A small table on stdout; the first column is text, the others are aligned to the right."""

    drawn = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
    widths = _widths(columns, rows, console.width - 2 * len(columns))
    for position, (column, width) in enumerate(zip(columns, widths, strict=True)):
        justify: Literal["left", "right"] = "left" if position == 0 else "right"
        drawn.add_column(column, justify=justify, overflow="fold", width=width)
    for row in rows:
        # Text, not str: a token such as "[/red]" is data, never markup.
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int | None]:
    """Widths at which headers wrap and values do not; None, for the library to decide, where that takes more room."""
    needed = [
        max([*(cell_len(row[position]) for row in rows), *(cell_len(word) for word in column.split())], default=0)
        for position, column in enumerate(columns)
    ]
    left = room - sum(needed)
    if left < 0:
        return [None] * len(columns)
    widths: list[int | None] = []
    for column, width in zip(columns, needed, strict=True):
        more = min(left, max(0, cell_len(column) - width))
        widths.append(width + more)
        left -= more
    return widths


def headline(rows: Sequence[tuple[str, Mapping[str, str]]], title: str = "") -> None:
    """The headline numbers a run ends with: one row per label, one column per value name."""
    columns: dict[str, None] = {}
    for _, values in rows:
        columns.update(dict.fromkeys(values))
    table(["", *columns], [[label, *(values.get(name, "") for name in columns)] for label, values in rows], title)
