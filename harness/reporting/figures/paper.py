"""The paper's figures and tables, drawn across all complete runs below a results folder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import Rejected
from harness.reporting.display import Display, DrawnFigure, PaperFigure, PaperTable, load_display
from harness.reporting.figures import tables
from harness.reporting.figures.drawing import add_footer, runs_footer, write_figure
from harness.reporting.figures.style import TWO_COLUMNS, paper_style
from harness.runs import registry
from harness.runs.folder import RunFolder
from harness.runs.results.collect import collect
from harness.runs.results.grouping import pools_text
from harness.runs.results.stored_run import StoredRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """One thing that was written, and how many runs it came from."""

    path: Path
    n_runs: int


@dataclass(frozen=True)
class PaperLook:
    """What the pages are like that pictures are drawn for."""

    width: float = TWO_COLUMNS
    """The widest picture, in inches: a column (`ONE_COLUMN`, panels one above another) or the page."""
    names_runs: bool = False
    """Whether the runs stand in small print below each picture; they always stand in its JSON file."""


def draw_paper(
    results_dir: Path, out: Path | None = None, experiment: str | None = None, look: PaperLook | None = None
) -> list[Drawn]:
    """Draw every registered paper figure and table from stored files; no model is loaded.

    Written to `<out>/<experiment>/figures` and `/tables` (default out: `<results_dir>/paper`), each with a JSON file
    that holds its caption and the runs it came from. What was left out is a warning. Raises `Rejected` where there is
    nothing to draw.
    """
    if not results_dir.is_dir():
        raise Rejected(f"nothing to draw: there is no folder {results_dir}")
    if experiment is not None:
        registry.load(experiment)  # a misspelt name is refused, not silently empty
    collected = collect(results_dir, experiment)
    for warning in collected.warnings:
        log.warning("%s", warning)
    written: list[Drawn] = []
    for name, runs in collected.runs.items():
        try:
            display = load_display(name)
        except Rejected as error:
            log.warning("%d runs of %s are left out: %s", len(runs), name, error)
            continue
        folder = RunFolder((out or results_dir / "paper") / name)
        written += _draw_experiment(name, display, runs, folder, results_dir, look or PaperLook())
    if not written:
        raise Rejected(_nothing(results_dir, experiment, collected.runs))
    return written


def _nothing(results_dir: Path, experiment: str | None, runs: dict[str, tuple[StoredRun, ...]]) -> str:
    if runs:
        return f"nothing to draw: no paper figure or table is registered for {', '.join(sorted(runs))}"
    of = f" of {experiment}" if experiment else ""
    return f"nothing to draw: no complete run{of} below {results_dir}"


def _draw_experiment(
    name: str, display: Display, runs: Sequence[StoredRun], folder: RunFolder, results_dir: Path, look: PaperLook
) -> list[Drawn]:
    written = []
    for figure in display.paper_figures:
        with paper_style(look.width):
            made = figure.draw(runs)
            if made is None:
                continue
            drawn = made if isinstance(made, DrawnFigure) else DrawnFigure(made, tuple(runs))
            sidecar = f"{figure.name}.json"
            if look.names_runs:
                ids = [run.run_id for run in drawn.runs]
                add_footer(drawn.canvas, runs_footer(ids, sidecar, drawn.canvas.get_figwidth()))
            write_figure(folder, figure.name, drawn.canvas)
        folder.write_json(f"figures/{sidecar}", _sources(figure, drawn.runs, results_dir))
        written.append(Drawn(folder.path / "figures" / f"{figure.name}.pdf", len(drawn.runs)))
    for table in display.paper_tables:
        frame = table.build(runs)
        if frame is None or frame.empty:
            continue
        label = f"{name}-{table.name}".replace("_", "-")
        folder.write_text(f"tables/{table.name}.csv", tables.to_csv(frame))
        folder.write_text(f"tables/{table.name}.tex", tables.to_latex(frame, table.caption, label))
        folder.write_json(f"tables/{table.name}.json", _sources(table, runs, results_dir))
        written.append(Drawn(folder.path / "tables" / f"{table.name}.tex", len(runs)))
    return written


def _sources(item: PaperFigure | PaperTable, runs: Sequence[StoredRun], results_dir: Path) -> dict[str, Any]:
    return {
        "name": item.name,
        "caption": item.caption,
        "runs": [
            {
                "run_id": run.run_id,
                "folder": run.folder.relative_to(results_dir).as_posix(),
                "model": run.model,
                "pools": pools_text(run),
                "seed": run.config.get("seed"),
                "config_hash": run.manifest.get("config_hash"),
                "schema_version": run.schema_version,
                "experiment_version": run.manifest.get("experiment_version"),
            }
            for run in runs
        ],
    }
