"""Two runs side by side: which requested values differ, and which measured ones."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import Rejected, nearest
from harness.measure.formatting import number, with_interval
from harness.tokens.text import visible
from harness.runs.results.collect import readable, run_folders
from harness.runs.results.grouping import differing, flat
from harness.runs.results.stored_run import StoredRun

_NOT_COMPARED = ("results_dir", "tracker", "cache", "sweep_id", "force")
_INTERVAL_ENDS = ("/ci_low", "/ci_high")


@dataclass(frozen=True)
class Difference:
    """One key with the values of both runs; None where a run does not have it."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs."""

    a: StoredRun
    b: StoredRun
    requested: tuple[Difference, ...]
    measured: tuple[Difference, ...]
    n_equal_metrics: int


def find_run(name: str, results_dir: Path) -> StoredRun:
    """The run called `name`: a folder, `experiment/run id`, a run id or the beginning of one.

    Raises `Rejected` where there is none, several, or it cannot be read.
    """
    folders = list(run_folders(results_dir)) if results_dir.is_dir() else []
    if (Path(name) / "manifest.json").is_file():
        found = [Path(name)]
    else:
        spelled = {folder: (folder.name, f"{folder.parent.name}/{folder.name}") for folder in folders}
        found = [folder for folder, names in spelled.items() if name in names]
        # By its hash alone, or by how it begins.
        found = found or [folder for folder in folders if folder.name.rpartition("-")[2] == name]
        found = found or [folder for folder, names in spelled.items() if any(known.startswith(name) for known in names)]
    if not found:
        near = nearest(name, [folder.name for folder in folders])
        raise Rejected(f"no run {name!r} below {results_dir}{f'; did you mean {near}?' if near else ''}")
    if len(found) > 1:
        raise Rejected(f"{name!r} could be any of {', '.join(sorted(f'{f.parent.name}/{f.name}' for f in found))}")
    run = readable(found[0], whole=False)
    if isinstance(run, str):
        raise Rejected(f"{found[0]} cannot be read ({run})")
    return run


def compare(a: StoredRun, b: StoredRun) -> Comparison:
    """Everything in which two runs differ; the ends of intervals travel with their mean."""
    requested = tuple(Difference(*item) for item in differing(_requested(a), _requested(b)))
    metrics_a, metrics_b = _means(a.metrics), _means(b.metrics)
    measured = tuple(Difference(*item) for item in differing(metrics_a, metrics_b))
    return Comparison(a, b, requested, measured, len({*metrics_a, *metrics_b}) - len(measured))


def _requested(run: StoredRun) -> dict[str, Any]:
    """Config, model and versions, flat."""
    manifest = run.manifest
    facts = {
        "experiment": run.experiment,
        "experiment_version": manifest.get("experiment_version"),
        "schema_version": run.schema_version,
        "code": (manifest.get("git") or {}).get("commit"),
        "python": manifest.get("python"),
    }
    config = {key: value for key, value in flat(run.config).items() if key.split(".", 1)[0] not in _NOT_COMPARED}
    model = flat({key: value for key, value in (manifest.get("model") or {}).items() if key != "name"}, "model")
    return {**facts, **config, **model, **flat(manifest.get("packages") or {}, "packages")}


def _means(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if not key.endswith(_INTERVAL_ENDS)}


def requested_rows(comparison: Comparison) -> list[list[str]]:
    """Key and both values as text."""
    return [[visible(item.key), _text(item.a), _text(item.b)] for item in comparison.requested]


def measured_rows(comparison: Comparison) -> list[list[str]]:
    """Metric, both values with their intervals, and the second minus the first; a star where that `is_beyond`."""
    rows = []
    for item in comparison.measured:
        values = [_with_ends(run, item.key, value) for run, value in ((comparison.a, item.a), (comparison.b, item.b))]
        both = all(isinstance(value, int | float) for value in (item.a, item.b))
        difference = number(float(item.b) - float(item.a), 4) if both else ""
        beyond = both and is_beyond(comparison.a.interval(item.key), comparison.b.interval(item.key))
        rows.append([visible(item.key), *values, difference + (" *" if beyond else "")])
    return rows


def is_beyond(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether two (mean, low, high) differ by more than their intervals leave open, as if they were independent: by
    more than the root of the sum of the squared half widths that face each other. False where one has no interval."""
    lower, upper = sorted((a, b), key=lambda one: one[0])
    if lower[2] is None or upper[1] is None:
        return False
    return bool(upper[0] - lower[0] > math.hypot(lower[2] - lower[0], upper[0] - upper[1]))


def _with_ends(run: StoredRun, key: str, value: Any) -> str:
    if isinstance(value, int | float):
        low, high = (run.metrics.get(f"{key}{end}") for end in _INTERVAL_ENDS)
        return with_interval(value, low, high, 4)
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return visible(value if isinstance(value, str) else json.dumps(value))


def as_json(comparison: Comparison) -> str:
    """The comparison as JSON, in ASCII."""
    names = [f"{run.experiment}/{run.run_id}" for run in (comparison.a, comparison.b)]
    parts = {"asked": comparison.requested, "measured": comparison.measured}
    values = {part: {item.key: [item.a, item.b] for item in items} for part, items in parts.items()}
    return json.dumps({"runs": names, **values, "equal_metrics": comparison.n_equal_metrics}, indent=2)
