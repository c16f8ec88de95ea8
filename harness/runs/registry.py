"""Experiments found by name.

An experiment has four names: `EXPERIMENT` (name, parameters, what it refuses), `measure` (how it is answered) and,
where wanted, `DISPLAY` (what is shown) and `ARRAYS` (what arrays a run writes). A small one defines them in one file,
`experiments/NAME.py`; the others in `config.py`, `measure.py`, `display.py` and `arrays.py` of a folder, so that
composing a config loads neither torch nor matplotlib.
"""

import ast
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import Rejected, nearest
from harness.runs.arrays import ArraySpec
from harness.runs.experiment import Experiment

PROJECT = Path(__file__).resolve().parents[2]


def search_folders() -> list[Path]:
    """Where `experiments/` and `conf/` may lie: the project, $HARNESS_PATH, the current folder."""
    named = [Path(entry) for entry in os.environ.get("HARNESS_PATH", "").split(os.pathsep) if entry]
    folders = (folder for folder in (PROJECT, *named, Path.cwd()) if is_search_folder(folder))
    return list(dict.fromkeys(folder.resolve() for folder in folders))


def add_search_folder(folder: str) -> None:
    """Look for experiments in a folder of one's own, too; `Rejected` where it holds none."""
    path = Path(folder).expanduser().absolute()
    if not is_search_folder(path):
        raise Rejected.key("--config-dir", folder, "a folder that has experiments/NAME.py")
    # The environment, so that sweep jobs in other processes look there too.
    os.environ["HARNESS_PATH"] = os.pathsep.join([str(path), *filter(None, [os.environ.get("HARNESS_PATH")])])


def is_search_folder(folder: Path) -> bool:
    """Whether a folder is laid out like the project, as far as it goes."""
    return (folder / "experiments").is_dir() or (folder / "conf").is_dir()


def options(group: str) -> list[str]:
    """What may be chosen in a config group: the names of its files."""
    return sorted({path.stem for folder in search_folders() for path in (folder / "conf" / group).glob("*.yaml")})


def names() -> dict[str, str]:
    """Every experiment with its one line for --help; files are read, none is imported."""
    found: dict[str, str] = {}
    for name, path in _declaring_files():
        summary = _declared_summary(path)
        if summary is not None:
            found.setdefault(name, summary)
    return found


def _declaring_files() -> Iterator[tuple[str, Path]]:
    for folder in search_folders():
        home = folder / "experiments"
        yield from sorted((path.stem, path) for path in home.glob("*.py") if path.stem.isidentifier())
        yield from sorted((path.parent.name, path) for path in home.glob("*/config.py"))


def _declared_summary(path: Path) -> str | None:
    """The summary in `EXPERIMENT = Experiment(..., summary="...")`; None for a file that declares no experiment."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None  # not ours, or broken: `load` says what is wrong with it
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        if not any(isinstance(target, ast.Name) and target.id == "EXPERIMENT" for target in targets):
            continue
        keywords = node.value.keywords if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) else ()
        values = {keyword.arg: keyword.value for keyword in keywords}
        summary = values.get("summary")
        return str(summary.value) if isinstance(summary, ast.Constant) else ""
    return None


def load(name: str) -> Experiment[Any]:
    """The experiment called `name`; `Rejected` where there is none or its module does not define one."""
    module = part(name, "config")
    experiment = getattr(module, "EXPERIMENT", None)
    if not isinstance(experiment, Experiment):
        raise Rejected(f"exp={name}: {module.__file__} defines no EXPERIMENT = harness.runs.experiment.Experiment(...)")
    if experiment.name != name:
        raise Rejected(f"exp={name}: {module.__file__} calls itself {experiment.name!r}; the names must agree")
    return experiment


def load_measure(name: str) -> Callable[[Any], Any]:
    """The function `measure(run) -> Outcome` of an experiment."""
    module = part(name, "measure")
    measure = getattr(module, "measure", None)
    if not callable(measure):
        raise Rejected(f"exp={name}: {module.__file__} defines no function measure(run)")
    return measure


def load_arrays(name: str) -> tuple[ArraySpec, ...] | None:
    """The arrays that a run may write; None for an experiment that does not say, and may write any."""
    module = part(name, "arrays")
    declared = getattr(module, "ARRAYS", None)
    if declared is None:
        return None
    if not isinstance(declared, tuple) or not all(isinstance(spec, ArraySpec) for spec in declared):
        raise Rejected(f"exp={name}: ARRAYS in {module.__file__} is no tuple of harness.runs.arrays.ArraySpec(...)")
    return declared


def part(name: str, kind: str) -> ModuleType:
    """The module with one part of an experiment (config, measure, display, arrays): its only file, or one of several.

    A part that a folder has no file for is looked for in its config.py.
    """
    home, path = _find(name)
    if path.is_dir():
        path = path / (f"{kind}.py" if (path / f"{kind}.py").is_file() else "config.py")
    parts = path.relative_to(home).with_suffix("").parts
    try:
        if home == PROJECT / "experiments":
            return importlib.import_module(".".join(("experiments", *parts)))
        return _import_file("_".join(parts), path)
    except SyntaxError as error:
        raise Rejected(f"exp={name}: {error.filename}, line {error.lineno}: {error.msg}") from error


def code_sha256(name: str) -> str:
    """Hash of an experiment's own Python files: tells whether a run was made by the code that is there now."""
    home, path = _find(name)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        digest.update(f"{file.relative_to(home)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _find(name: str) -> tuple[Path, Path]:
    """The folder of experiments that has this one, and its only file or its folder. Raises `Rejected`."""
    for folder in search_folders() if name.isidentifier() else ():
        home = folder / "experiments"
        if (home / f"{name}.py").is_file():
            return home, home / f"{name}.py"
        if (home / name / "config.py").is_file():
            return home, home / name
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
