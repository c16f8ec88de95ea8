"""Keeps the loading libraries from talking to the terminal, and listens to what they say of missing weights."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from transformers.utils import logging as transformers_logging

_LOADER = "transformers.modeling_utils"
# This logger lists every tensor that is not spread over devices once the loader's warnings are on.
_CHATTER = "transformers.distributed.tensor_parallel"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class LoadReport:
    """Tensors that transformers could not take from the weight files, by name."""

    missing: list[str] = field(default_factory=list)
    """Not in the files: transformers fills them with random numbers and goes on."""
    mismatched: list[str] = field(default_factory=list)
    """In the files with another shape."""


class _ReportReader(logging.Handler):
    """Reads the table that transformers logs after loading: one row per tensor, `name | STATUS | ...`."""

    def __init__(self, report: LoadReport) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Collect the rows of a load report; any other message is dropped."""
        for line in _ESCAPES.sub("", record.getMessage()).splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 1 and cells[1].startswith("MISSING"):
                self._report.missing.append(cells[0])
            elif len(cells) > 1 and cells[1].startswith("MISMATCH"):
                self._report.mismatched.append(cells[0])
        # transformers lists them in an order that changes from process to process.
        self._report.missing.sort()
        self._report.mismatched.sort()


@contextmanager
def quiet_loading(show_downloads: bool) -> Iterator[LoadReport]:
    """Silence bars and warnings of transformers and transformer_lens; yields what could not be loaded.

    `show_downloads` leaves the bars on: a download takes long enough for a person to want one.
    """

    report = LoadReport()
    loader = logging.getLogger(_LOADER)
    reader = _ReportReader(report)
    level, propagate, bars = loader.level, loader.propagate, transformers_logging.is_progress_bar_enabled()
    chatter = logging.getLogger(_CHATTER)
    was_disabled, chatter.disabled = chatter.disabled, True
    loader.setLevel(logging.WARNING)
    loader.propagate = False
    loader.addHandler(reader)
    if not show_downloads:
        transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield report
    finally:
        chatter.disabled = was_disabled
        loader.removeHandler(reader)
        loader.setLevel(level)
        loader.propagate = propagate
        if bars and not show_downloads:
            transformers_logging.enable_progress_bar()
