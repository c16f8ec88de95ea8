"""Every way of answering, by name: the classes that the files of this folder define."""

import importlib
import inspect
import pkgutil
from typing import Annotated

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from harness.errors import FieldRejected
from harness.path_star import ways
from harness.path_star.ways.way import Way


def find_all() -> dict[str, type[Way]]:
    """The classes with a name, in the order in which they are shown."""
    files = [importlib.import_module(f"{ways.__name__}.{file.name}") for file in pkgutil.iter_modules(ways.__path__)
             if file.name != "roster"]  # fmt: skip
    kinds = {kind for file in files for _, kind in inspect.getmembers(file, inspect.isclass)}
    named = [kind for kind in kinds if issubclass(kind, Way) and "name" in vars(kind)]
    return {kind.name: kind for kind in sorted(named, key=lambda kind: (kind.place, kind.name))}


WAYS: dict[str, type[Way]] = find_all()


def find(name: str) -> type[Way]:
    """The way called `name`; `FieldRejected` where there is none."""
    if name not in WAYS:
        raise FieldRejected(f"objective: got {name!r}, allowed: {_allowed()}")
    return WAYS[name]


def _allowed() -> str:
    *others, last = (repr(name) for name in WAYS)
    return f"{', '.join(others)} or {last}"


def _known(name: object) -> object:
    if name not in WAYS:
        raise PydanticCustomError("enum", f"Input should be {_allowed()}")
    return name


WayName = Annotated[str, PlainValidator(_known)]
"""A name of the roster, as a field of a config."""
