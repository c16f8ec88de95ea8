"""A command as it is typed, and the order in which commands share a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RESULTS = "results"
"""Where every run is kept, seen from a chain's own folder: relative, so that no run id depends on the folder."""


@dataclass(frozen=True)
class Command:
    """One command line; `name` is its folder in a snapshot."""

    name: str
    words: tuple[str, ...]
    """{results/census/*} stands for the first such path, {results/census/*#1} for the second."""
    module: str = "harness"
    imports: bool = False
    """Whether it is also stored which heavy packages the process had imported at its end."""


@dataclass(frozen=True)
class Places:
    """What commands are given from outside."""

    checkout: Path
    shared: Path | None


@dataclass(frozen=True)
class Chain:
    """Commands that are run one after the other in one folder of their own, and find what those before them left."""

    name: str
    commands: tuple[Command, ...]
    prepare: Callable[[Path, Places], None] | None = None
    """Puts the files into the folder that the commands name."""
    needs_shared: bool = False


def run(name: str, *words: str, imports: bool = False) -> Command:
    """`python -m harness ...` with its results in the chain's folder, and no tracker."""
    return Command(name, (*words, f"results_dir={RESULTS}", "tracker=none"), imports=imports)


def show(name: str, *words: str, module: str = "harness", imports: bool = False) -> Command:
    """A command that takes no results_dir."""
    return Command(name, words, module, imports)
