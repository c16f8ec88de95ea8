"""Experiments found by name: one module with an `EXPERIMENT`, one YAML that names it."""

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from harness.errors import Rejected, nearest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

    from harness.models.identity import ModelIdentity
    from harness.runs.config.schema import RunConfig
    from harness.runs.context import CheckContext, Outcome, Run
    from harness.runs.results.stored_run import StoredRun

PROJECT = Path(__file__).resolve().parents[2]


class Needs(Enum):
    """What an experiment asks the harness to prepare; only that enters the run id and is checked before computing."""

    MODEL = "model"
    TOKENIZER = "tokenizer"
    POOLS = "pools"


@dataclass(frozen=True)
class Figure:
    """A picture of one run, drawn from its stored files."""

    name: str
    caption: str
    draw: Callable[[StoredRun], MatplotlibFigure | None]
    """None where the run has nothing to draw (a model without attention patterns has no head map)."""


@dataclass(frozen=True)
class Table:
    """A table of one run, built from its stored files."""

    name: str
    caption: str
    build: Callable[[StoredRun], pd.DataFrame | None]


@dataclass(frozen=True)
class PaperFigure:
    """A picture across runs; `draw` returns None where these runs do not fit it."""

    name: str
    caption: str
    draw: Callable[[Sequence[StoredRun]], MatplotlibFigure | None]


@dataclass(frozen=True)
class PaperTable:
    """A table across runs; `build` returns None where these runs do not fit it."""

    name: str
    caption: str
    build: Callable[[Sequence[StoredRun]], pd.DataFrame | None]


@dataclass(frozen=True)
class AttentionPanel:
    """Attention patterns to look at by hand: `patterns` is [head, query, key]; a label per head, a string per token."""

    title: str
    tokens: tuple[str, ...]
    patterns: np.ndarray
    head_labels: tuple[str, ...]


@dataclass(frozen=True)
class HeadlineRow:
    """One row of the small table a run ends with, e.g. `unused | copy gain | -0.3 | [-0.4, -0.2]`."""

    label: str
    values: Mapping[str, str]


def _no_check(_: CheckContext) -> None:
    return None


def _no_inputs(_: RunConfig, __: ModelIdentity | None) -> Mapping[str, str]:
    return {}


def _no_panels(_: StoredRun) -> Sequence[AttentionPanel]:
    return ()


@dataclass(frozen=True)
class Experiment:
    """One question: its parameters, how it is answered, and how the answer is shown."""

    name: str
    version: int
    """Part of the run id: raise it when the same config gives another answer."""
    summary: str
    """One line for --help."""
    config: type
    """The frozen dataclass of `exp.*`."""
    run: Callable[[Run], Outcome]
    needs: frozenset[Needs] = frozenset({Needs.MODEL, Needs.POOLS})
    check: Callable[[CheckContext], None] = _no_check
    """Refuse (raise `Rejected`) what cannot work before any weights are loaded."""
    inputs: Callable[[RunConfig, ModelIdentity | None], Mapping[str, str]] = _no_inputs
    """Fingerprints of what the answer depends on beside config and model (a data set's bytes, another run): part of the
    run id. Raises `Rejected` for what is not there."""
    headline: Callable[[StoredRun], Sequence[HeadlineRow]] = field(default=lambda _: ())
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    panels: Callable[[StoredRun], Sequence[AttentionPanel]] = _no_panels
    paper_figures: tuple[PaperFigure, ...] = ()
    paper_tables: tuple[PaperTable, ...] = ()


def search_folders() -> list[Path]:
    """Where `conf/exp/NAME.yaml` and `experiments/NAME.py` may lie: the project, $HARNESS_PATH, the current folder."""
    named = [Path(entry) for entry in os.environ.get("HARNESS_PATH", "").split(os.pathsep) if entry]
    folders = [PROJECT, *named, Path.cwd()]
    unique: dict[Path, None] = {}
    for folder in folders:
        if (folder / "conf").is_dir():
            unique[folder.resolve()] = None
    return list(unique)


def options(group: str) -> list[str]:
    """What may be chosen in a config group: the names of its files."""
    return sorted({path.stem for folder in search_folders() for path in (folder / "conf" / group).glob("*.yaml")})


def _exp_files() -> Iterator[tuple[str, Path]]:
    seen: set[str] = set()
    for folder in search_folders():
        for path in sorted((folder / "conf" / "exp").glob("*.yaml")):
            if path.stem not in seen:
                seen.add(path.stem)
                yield path.stem, path


def names() -> dict[str, str]:
    """Every experiment with its one line, read from the second comment of its YAML (no module is imported)."""
    found: dict[str, str] = {}
    for name, path in _exp_files():
        comments = re.findall(r"^#\s?(.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        comments = [line for line in comments if not line.startswith("@package")]
        found[name] = comments[1] if len(comments) > 1 else ""
    return found


def load(name: str) -> Experiment:
    """The experiment called `name`; `Rejected` where there is none or its module does not define one."""
    module = _import_module(name)
    experiment = getattr(module, "EXPERIMENT", None)
    if not isinstance(experiment, Experiment):
        raise Rejected(f"exp={name}: {module.__file__} defines no EXPERIMENT = harness.runs.registry.Experiment(...)")
    if experiment.name != name:
        raise Rejected(f"exp={name}: {module.__file__} calls itself {experiment.name!r}; the names must agree")
    return experiment


def _import_module(name: str) -> ModuleType:
    if not name.isidentifier():
        raise unknown(name)
    for folder in search_folders():
        if folder == PROJECT:
            if importlib.util.find_spec(f"experiments.{name}") is not None:
                return importlib.import_module(f"experiments.{name}")
            continue
        for path in (folder / "experiments" / f"{name}.py", folder / "experiments" / name / "__init__.py"):
            if path.is_file():
                return _import_file(name, path)
    raise unknown(name)


def _import_file(name: str, path: Path) -> ModuleType:
    key = f"_harness_outside_{name}"
    loaded = sys.modules.get(key)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise Rejected(f"exp={name}: {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Registered first: dataclasses look their module up while it is being executed.
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[key]
        raise
    return module


def unknown(name: str) -> Rejected:
    """The refusal for an experiment that does not exist."""
    known = names()
    near = nearest(name, known)
    hint = f"; did you mean {near}?" if near else ""
    return Rejected(f"exp: got {name!r}, allowed: {', '.join(known) or 'nothing found'}{hint}")
