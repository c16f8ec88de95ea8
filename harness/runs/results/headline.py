"""The small table a run ends with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HeadlineRow:
    """One row, e.g. `unused | copy gain | -0.3 [-0.4, -0.2]`."""

    label: str
    values: Mapping[str, str]


def to_plain(rows: Sequence[HeadlineRow]) -> list[dict[str, Any]]:
    """Rows as they are stored in headline.json; pairs, since keys of JSON objects are sorted there."""
    return [{"label": row.label, "values": list(row.values.items())} for row in rows]


def from_plain(stored: Sequence[Mapping[str, Any]]) -> list[HeadlineRow]:
    """Rows read back from headline.json."""
    return [HeadlineRow(str(row["label"]), dict(row["values"])) for row in stored]
