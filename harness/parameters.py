"""What an experiment's dataclass says of its parameters: meaning, kind, default, allowed values."""

import ast
import dataclasses
import inspect
import json
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator

from harness.runs.identity import plain

_KINDS = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path", type(None): "null"}


@dataclass(frozen=True)
class Parameter:
    """One key that may be given on the command line."""

    key: str
    """Dotted, without `exp.`."""
    meaning: str
    """The text below the field; empty where there is none."""
    allowed: str
    """Its kind, and what of it is accepted."""
    default: str
    """As it is written on the command line; `required` where there is none."""


def parameters(config: type, prefix: str = "") -> Iterator[Parameter]:
    """Every parameter of a frozen dataclass in its order; those of a dataclass within it by dotted keys."""
    hints = get_type_hints(config, include_extras=True)
    meanings = _meanings(config)
    for field in dataclasses.fields(config):
        hint, default = hints[field.name], _default(field)
        within = _dataclass_in(hint)
        if within is not None and (default is None or dataclasses.is_dataclass(default)):
            yield from parameters(within, f"{prefix}{field.name}.")
            continue
        spelt = "required" if default is dataclasses.MISSING else _spelt(plain(default))
        yield Parameter(f"{prefix}{field.name}", meanings.get(field.name, ""), _allowed(hint), spelt)


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def _meanings(config: type) -> dict[str, str]:
    """The text that stands below each field in the source; of a field made at run time what its metadata say."""
    found: dict[str, str] = {}
    for one in reversed(config.__mro__):
        if not dataclasses.is_dataclass(one):
            continue
        try:
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        except (OSError, TypeError):
            continue  # made at run time: its fields have no source
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[statement.target.id] = " ".join(str(after.value.value).split())
    return found


def _dataclass_in(hint: Any) -> type | None:
    """The dataclass that a field holds, `None` beside it or not."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    parts = [part for part in _alternatives(hint) if part is not type(None)]
    return parts[0] if len(parts) == 1 and dataclasses.is_dataclass(parts[0]) and isinstance(parts[0], type) else None


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _allowed(hint: Any) -> str:
    """A type in words: `whole number, 1 or more, or null`."""
    if get_origin(hint) is Annotated:
        inner, *extra = get_args(hint)
        stated = [words for one in extra if (words := _constraint(one))]
        kind = _allowed(inner)
        # A constraint on a list or a dataclass says what it holds by itself.
        return ", ".join(stated) if stated and inner not in (int, float) else ", ".join([kind, *stated])
    parts = _alternatives(hint)
    if len(parts) > 1:
        kinds = list(dict.fromkeys(_allowed(part) for part in parts if part is not type(None)))
        is_said = len(kinds) == len(parts) or kinds[-1].endswith("null")
        return " or ".join(kinds) + ("" if is_said else ", or null")
    origin = get_origin(hint)
    if origin is Literal:
        return ", ".join(map(str, get_args(hint)))
    if origin in (tuple, list):
        return f"list of {_allowed(get_args(hint)[0])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(str(member.value) for member in hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return ", ".join(f"{field.name}=..." for field in dataclasses.fields(hint))
    return _KINDS.get(hint, "a mapping" if origin is dict else str(getattr(hint, "__name__", hint)))


def _constraint(one: Any) -> str:
    """The words of `must_be`; empty for any other annotation."""
    return str(getattr(one.func, "allowed", "")) if isinstance(one, AfterValidator) else ""


def _spelt(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(_spelt(item) for item in value)}]"
    return value if isinstance(value, str) and value else json.dumps(value)
