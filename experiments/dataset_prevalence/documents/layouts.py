"""Which text a record holds: stated rules for the layouts that data sets come in.

| layout   | record                                               | text                                           |
|----------|------------------------------------------------------|------------------------------------------------|
| field    | any, with the field that the config names            | that field                                     |
| string   | "..."                                                | itself                                         |
| sharegpt | {"conversations": [{"from": ..., "value": ...}]}     | every value                                    |
| messages | {"messages": [{"role": ..., "content": ...}]}        | every content                                  |
| alpaca   | {"instruction": ..., "input": ..., "output": ...}    | the three (a missing or empty input: the two)  |
| text     | {"text": ...}                                        | text                                           |

Tried in this order. A record is one document; its texts are encoded one by one, so no token reaches from one into the
next. Who speaks, and every other key, is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from harness.tokens.text import shown


class Layout(Enum):
    """How the text stands in a record."""

    PLAIN = "plain"
    """No record: a piece of a plain text."""
    FIELD = "field"
    STRING = "string"
    SHAREGPT = "sharegpt"
    MESSAGES = "messages"
    ALPACA = "alpaca"
    TEXT = "text"


class NoText(ValueError):
    """A record that none of the rules finds a text in; the message says why, without the place."""


@dataclass(frozen=True)
class Document:
    """One document: its texts, each encoded by itself."""

    texts: tuple[str, ...]
    layout: Layout


def read_record(record: Any, field: str | None = None) -> Document:
    """The document in a record. Raises `NoText`."""
    if field is not None:
        return Document((_field(record, field),), Layout.FIELD)
    if isinstance(record, str):
        return Document((record,), Layout.STRING)
    if not isinstance(record, Mapping):
        raise NoText(f"a record is an object or a string, not {_kind(record)}")
    if "conversations" in record:
        return Document(_turns(record, "conversations", "value"), Layout.SHAREGPT)
    if "messages" in record:
        return Document(_turns(record, "messages", "content"), Layout.MESSAGES)
    if "instruction" in record and "output" in record:
        parts = (_string(record, "instruction"), _optional(record, "input"), _string(record, "output"))
        return Document(tuple(part for part in parts if part), Layout.ALPACA)
    if "text" in record:
        return Document((_string(record, "text"),), Layout.TEXT)
    raise NoText(f"no layout known for the keys {_keys(record)}; name the one with the text: exp.field=")


def _field(record: Any, field: str) -> str:
    if not isinstance(record, Mapping):
        raise NoText(f"exp.field={field} needs objects, not {_kind(record)}")
    if field not in record:
        raise NoText(f"it has no field {shown(field)}, only {_keys(record)}")
    return _string(record, field)


def _string(record: Mapping[str, Any], key: str) -> str:
    value = record[key]
    if not isinstance(value, str):
        raise NoText(f"{shown(key)} is {_kind(value)}, not a string")
    return value


def _optional(record: Mapping[str, Any], key: str) -> str:
    return "" if record.get(key) is None else _string(record, key)


def _turns(record: Mapping[str, Any], key: str, inner: str) -> tuple[str, ...]:
    turns = record[key]
    if not isinstance(turns, list):
        raise NoText(f"{key} is {_kind(turns)}, not a list")
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, Mapping) or not isinstance(turn.get(inner), str):
            raise NoText(f"{key}: turn {number} has no string {inner}")
    return tuple(turn[inner] for turn in turns)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _keys(record: Mapping[str, Any]) -> str:
    names = [shown(str(key), 20) for key in list(record)[:8]]
    return ", ".join(names) + (", ..." if len(record) > 8 else "") if names else "(none)"
