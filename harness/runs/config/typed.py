"""Plain values to frozen dataclasses, with mistakes answered in one line that names the key."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.errors import Rejected, fields_below, nearest

T = TypeVar("T")


def to_dataclass(cls: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """An instance of the dataclass `cls`; raises `Rejected` naming the key, what it got and what it may be.

    This is the one place that knows what stands before the name of a field in the config: `prefix`.
    """
    _refuse_unknown_keys(cls, values, prefix)
    filled = _filled(cls, values)
    hints = typing.get_type_hints(cls)
    for name, value in filled.items():
        if isinstance(value, bool) and not accepts(hints[name], bool) and accepts(hints[name], int, float):
            # pydantic takes true for 1.
            raise Rejected.key(prefix + name, value, "a number")
        nested = _dataclass_in(hints[name])
        if nested is not None and isinstance(value, Mapping):
            filled[name] = to_dataclass(nested, value, f"{prefix}{name}.")
    try:
        with fields_below(prefix):
            return TypeAdapter(cls).validate_python(filled)
    except ValidationError as error:
        raise _one_line(error, prefix) from None


def accepts(hint: Any, *kinds: type) -> bool:
    """Whether a field of the type `hint` may hold a value of one of these kinds."""
    if isinstance(hint, type):
        return hint in kinds
    return any(accepts(part, *kinds) for part in typing.get_args(hint))


def hint_of(cls: type, key: str) -> Any:
    """The type of the field at a dotted key of a dataclass; None where there is no such field."""
    name, _, rest = key.partition(".")
    hint = typing.get_type_hints(cls).get(name)
    nested = _dataclass_in(hint) if rest else None
    return hint if not rest else None if nested is None else hint_of(nested, rest)


def _refuse_unknown_keys(cls: type, values: Mapping[str, Any], prefix: str) -> None:
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    for key in values:
        if key not in known:
            near = nearest(str(key), known)
            hint = f"; did you mean {near}?" if near else ""
            raise Rejected(f"{prefix}{key}: no such key, allowed: {', '.join(prefix + name for name in known)}{hint}")


def _filled(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """`exp.early_rows.text=9` changes one part of a nested value: the others keep those of the field's default."""
    filled = dict(values)
    for field in dataclasses.fields(cls):
        value = filled.get(field.name)
        if isinstance(value, Mapping) and dataclasses.is_dataclass(field.default):
            parts = {part.name: getattr(field.default, part.name) for part in dataclasses.fields(field.default)}
            filled[field.name] = {**parts, **value}
    return filled


def _dataclass_in(hint: Any) -> type | None:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return hint
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next((found for arg in typing.get_args(hint) if (found := _dataclass_in(arg))), None)
    return None


def _one_line(error: Any, prefix: str) -> Rejected:
    problems = error.errors()
    first = problems[0]
    # A union reports one problem per member, each with the member's name at the end of its place.
    place = [str(part) for part in first["loc"] if isinstance(part, int) or str(part).isidentifier()]
    message = str(first["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    if first["type"] == "missing":
        return Rejected(f"{prefix}{'.'.join(place)}: missing, and there is no default")
    if len(problems) > 1 and len(place) > 1:
        place = place[:-1]
    if first["type"] == "value_error":
        return Rejected(prefix + ".".join([*place, message]))
    # A number as it was understood, anything else as it was written.
    got = first.get("ctx", {}).get("got")
    got = got if isinstance(got, int | float) else first["input"]
    return Rejected.key(prefix + ".".join(place), got, message)
