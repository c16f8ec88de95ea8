"""index.html: every run below a results folder on one page, one metric of several, two compared."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.reporting.report.attention import script_json
from harness.reporting.report.html import Cell, PageTable, environment
from harness.runs.results.listing import Listed
from harness.tokens.text import visible

COLUMNS = ("run", "experiment", "answer", "model", "pools", "seed", "status", "started")


def render_index(rows: Sequence[Listed], results_dir: Path, home: Path) -> str:
    """The page; nothing outside it is loaded. `home` is the folder it will lie in: links to reports are relative to it.

    Every string that came from a run is made visible and escaped, as in a run's own report.
    """
    return (
        environment()
        .get_template("index.html")
        .render(
            nonce=hashlib.sha256(str(results_dir).encode()).hexdigest()[:16],
            folder=str(results_dir),
            runs=PageTable("runs", "", COLUMNS, tuple(_cells(row, home) for row in rows)),
            data=script_json([_data(row) for row in rows if row.status == "complete"]),
        )
    )


def _cells(row: Listed, home: Path) -> tuple[Cell, ...]:
    report = Path(row.folder) / "report.html"
    link = quote(Path(os.path.relpath(report, home)).as_posix()) if report.is_file() else ""
    said = row.answer or row.problem
    texts = [row.run_id, row.experiment, said, row.model, row.pools, "", row.status, row.started[:16]]
    seed = "" if row.seed is None else str(row.seed)
    cells = [Cell(visible(text), visible(text), False) for text in texts]
    cells[0] = Cell(visible(row.run_id), visible(row.run_id), False, link)
    cells[5] = Cell(seed, seed, True)
    return tuple(cells)


def _data(row: Listed) -> dict[str, Any]:
    """Every metric that is a number, with the ends of its interval."""
    metrics = {
        key: [value, *(_number(row.metrics.get(f"{key}/{end}")) for end in ("ci_low", "ci_high"))]
        for key, value in row.metrics.items()
        if _number(value) is not None and not key.endswith(("/ci_low", "/ci_high"))
    }
    return {"name": visible(row.run_id), "experiment": visible(row.experiment), "metrics": metrics}


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
