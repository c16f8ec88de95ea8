"""Runs on disk as rows: who, on what, how far, and the headline numbers."""

import csv
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import HarnessError
from harness.runs import registry
from harness.runs.experiment import Needs
from harness.runs.results.collect import readable, run_folders
from harness.runs.results.grouping import pools_text
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import shorten, visible

UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Listed:
    """One run folder; an unreadable one says why in `problem`."""

    experiment: str
    run_id: str
    folder: str
    model: str
    pools: str
    seed: int | None
    status: str
    started: str
    answer: str
    """The run's one sentence; empty for a run without one."""
    headline: dict[str, dict[str, str]]
    """Label -> name -> value, as the run itself ended with."""
    metrics: dict[str, Any]
    problem: str


def list_runs(results_dir: Path, experiment: str | None = None, status: str | None = None) -> list[Listed]:
    """Every run folder below `results_dir`, unreadable ones included, oldest first within an experiment.

    Raises `HarnessError` where there is no such folder.
    """
    if not results_dir.is_dir():
        raise HarnessError(f"there is no folder {results_dir}")
    rows = [_listed(folder) for folder in run_folders(results_dir, experiment)]
    kept = [row for row in rows if status is None or row.status == status]
    return sorted(kept, key=lambda row: (row.experiment, row.started, row.run_id))


def _listed(folder: Path) -> Listed:
    run = readable(folder, whole=False)
    if isinstance(run, str):
        return Listed(folder.parent.name, folder.name, str(folder), "", "", None, UNREADABLE, "", "", {}, {}, run)
    seed = run.config.get("seed")
    headline, problem = _headline(run) if run.status == "complete" else ({}, str(run.manifest.get("error") or ""))
    return Listed(
        experiment=run.experiment,
        run_id=run.run_id,
        folder=str(folder),
        model=run.model,
        pools=pools_text(run) if _uses_pools(run.experiment) else "",
        seed=seed if isinstance(seed, int) else None,
        status=run.status,
        started=str(run.manifest.get("started") or ""),
        answer=run.answer.sentence if run.status == "complete" and run.answer is not None else "",
        headline=headline,
        metrics=dict(run.metrics),
        problem=problem,
    )


def _uses_pools(experiment: str) -> bool:
    """Whether its answers depend on pools; one that is not found any more may."""
    return experiment not in registry.names() or Needs.POOLS in registry.load(experiment).needs


def _headline(run: StoredRun) -> tuple[dict[str, dict[str, str]], str]:
    """The headline stored with the run; one that cannot be read says so."""
    try:
        rows = run.headline
    except (KeyError, TypeError, ValueError) as error:
        return {}, f"its headline cannot be read: {type(error).__name__}: {error}"
    if rows is None:
        return {}, "its headline was not stored (an older version's run)"
    return {row.label: dict(row.values) for row in rows}, ""


def as_table(rows: Sequence[Listed]) -> str:
    """The runs as a table as wide as the terminal; intervals are left to the run itself."""

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    for column, most in (("run", 30), ("model", 20), ("pools", 30), ("seed", 6), ("status", 11)):
        drawn.add_column(column, overflow="fold", max_width=most)
    drawn.add_column("answer", overflow="fold", ratio=1)
    for row in rows:
        what = visible(row.answer) or "\n".join(_headline_lines(row.headline)) or visible(row.problem)
        pools = "\n".join(shorten(visible(part), 40) for part in row.pools.split(" "))
        seed = "" if row.seed is None else str(row.seed)
        name = f"{visible(row.experiment)}\n{visible(row.run_id)}"
        # Text, not str: "[/red]" in a name or an error is data, never markup.
        drawn.add_row(Text(name), Text(visible(row.model)), Text(pools), Text(seed), Text(row.status), Text(what))
    return _rendered(drawn, Console)


def _rendered(table: Any, console: Any) -> str:
    width = shutil.get_terminal_size((140, 24)).columns
    stream = io.StringIO()
    console(file=stream, width=width, highlight=False, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _headline_lines(headline: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [
        f"{visible(label)}: "
        + ", ".join(f"{_without_unit(name)} {_without_interval(v)}" for name, v in values.items() if v)
        for label, values in headline.items()
    ]


def _without_unit(name: str) -> str:
    return visible(re.sub(r" \([^()]*\)$", "", name))


def _without_interval(value: str) -> str:
    return visible(re.sub(r" \[[^\[\]]*\]$", "", value))


def as_json(rows: Sequence[Listed]) -> str:
    """The runs as a JSON list with every metric, in ASCII."""
    return json.dumps([asdict(row) for row in rows], indent=2)


def as_csv(rows: Sequence[Listed]) -> str:
    """One line a run, one column a metric."""
    names = sorted({name for row in rows for name in row.metrics})
    facts = ("experiment", "run_id", "folder", "model", "pools", "seed", "status", "started")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*facts, *names])
    for row in rows:
        values = [getattr(row, fact) for fact in facts] + [row.metrics.get(name) for name in names]
        writer.writerow([visible(value) if isinstance(value, str) else value for value in values])
    return stream.getvalue().rstrip("\n")
