"""An offline `.wandb` file read back: a LevelDB log of protobuf records (the format is in wandb's own sources)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

_MARK, _MARK_BYTES, _BLOCK, _HEADER = b":W&B", 7, 32_768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class OfflineRun:
    """What one offline run tells the server once it is sent."""

    group: str = ""
    job_type: str = ""
    run_id: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    exit_code: int | None = None


def read_offline(path: Path) -> OfflineRun:
    """Everything that `path` records, in order; raises ValueError for a file that is not whole."""
    found = OfflineRun()
    for data in _records(path.read_bytes()):
        record = Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            found.group, found.job_type, found.run_id = run.run_group, run.job_type, run.run_id
            found.config |= {item.key: json.loads(item.value_json) for item in run.config.update}
        elif kind == "history":
            found.history.append({_key(item): json.loads(item.value_json) for item in record.history.item})
        elif kind == "summary":
            found.summary |= {_key(item): json.loads(item.value_json) for item in record.summary.update}
        elif kind == "request" and record.request.WhichOneof("request_type") == "log_artifact":
            found.artifacts += [entry.path for entry in record.request.log_artifact.artifact.manifest.contents]
        elif kind == "artifact":
            found.artifacts += [entry.path for entry in record.artifact.manifest.contents]
        elif kind == "exit":
            found.exit_code = record.exit.exit_code
    return found


def _key(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def _records(content: bytes) -> Iterator[bytes]:
    if content[:4] != _MARK:
        raise ValueError(f"no .wandb file: it begins with {content[:8]!r}")
    at, parts = _MARK_BYTES, []
    while at < len(content):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts.append(content[at + _HEADER : at + _HEADER + length])
        if len(parts[-1]) != length or kind not in (_FULL, _FIRST, _MIDDLE, _LAST):
            raise ValueError(f"the file is cut or damaged at byte {at}")
        at += _HEADER + length
        if kind in (_FULL, _LAST):
            yield b"".join(parts)
            parts = []
    if parts:
        raise ValueError("the file ends within a record")
