"""Complete runs of one experiment that may be shown together, and what was left out and why."""

import yaml
from safetensors import SafetensorError
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.runs.results.stored_run import StoredRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collected:
    """Runs by experiment, each experiment's of one layout and one version."""

    runs: dict[str, tuple[StoredRun, ...]]
    warnings: tuple[str, ...]
    """One sentence for everything that was left out."""


def run_folders(results_dir: Path, experiment: str | None = None) -> Iterator[Path]:
    """Folders below `results_dir` that hold a manifest, in a stable order."""
    for path in sorted(Path(results_dir).glob(f"{experiment or '*'}/*/manifest.json")):
        yield path.parent


def readable(folder: Path, whole: bool = True) -> StoredRun | str:
    """The run in `folder`, or the reason why it cannot be read; `whole` reads its arrays too."""

    try:
        run = StoredRun(folder)
        # Reading is lazy: read here what is needed, so that errors of a damaged file are caught and no others.
        _ = (run.schema_version, run.manifest, run.metrics, run.config)
        if whole:
            _ = (run.details, run.arrays)
    except (HarnessError, OSError, ValueError, TypeError, AttributeError, SafetensorError, yaml.YAMLError) as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    return run


def collect(results_dir: Path, experiment: str | None = None) -> Collected:
    """All complete runs that can be read; of several layouts or experiment versions only the newest.

    Runs that are not complete are left out without a word, as they say themselves what they are.
    """
    warnings = []
    found: dict[str, list[StoredRun]] = {}
    for folder in run_folders(results_dir, experiment):
        run = readable(folder, whole=False)
        if isinstance(run, StoredRun) and run.status != "complete":
            continue
        run = readable(folder)
        if isinstance(run, str):
            warnings.append(f"{folder} cannot be read and is left out ({run})")
            continue
        found.setdefault(run.experiment, []).append(run)
    kept = {}
    for name, runs in found.items():
        newest, left_out = _newest(runs)
        kept[name] = tuple(newest)
        warnings += left_out
    return Collected(kept, tuple(warnings))


def _version(run: StoredRun) -> tuple[int, int]:
    return run.schema_version, int(run.manifest.get("experiment_version", 0))


def _newest(runs: list[StoredRun]) -> tuple[list[StoredRun], list[str]]:
    newest = max(_version(run) for run in runs)
    other = [run for run in runs if _version(run) != newest]
    if not other:
        return runs, []
    names = ", ".join(f"{run.run_id} ({_words(_version(run))})" for run in other)
    sentence = f"{runs[0].experiment}: only runs of {_words(newest)} are shown; left out: {names}"
    return [run for run in runs if _version(run) == newest], [sentence]


def _words(version: tuple[int, int]) -> str:
    return f"schema {version[0]}, experiment version {version[1]}"
