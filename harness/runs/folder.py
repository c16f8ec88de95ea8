"""The only writer into a run folder: every file whole or not at all, records line by line."""

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from harness.errors import RunFailed
from harness.files import write_whole

SCHEMA_VERSION = 1


def to_json(value: Any) -> str:
    """JSON with sorted keys, one shape for equal values; NaN and infinities become null (JSON has no word for them)."""
    return json.dumps(_finite(value), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and small arrays
        return _finite(value.tolist())
    return value


class RunFolder:
    """`results/<experiment>/<run id>/` and everything that is written there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the folder; raises `RunFailed` where the results folder cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFailed(f"results_dir: cannot create {self.path}: {error.strerror or error}") from error

    def write_json(self, name: str, value: Any) -> None:
        """One JSON file, whole."""
        # A half character (lone surrogate) becomes its JSON escape, which reads back as it was.
        write_whole(self.path / name, to_json(value).encode("utf-8", errors="backslashreplace"))

    def write_text(self, name: str, text: str) -> None:
        """One text file, whole; half characters of broken vocabularies are kept as escapes."""
        write_whole(self.path / name, text.encode("utf-8", errors="backslashreplace"))

    def write_arrays(
        self, name: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
    ) -> None:
        """One safetensors file of named arrays, and texts in its header, whole."""
        content = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        write_whole(self.path / name, save(content, dict(metadata) if metadata else None))

    def read_arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of one safetensors file."""

        return load((self.path / name).read_bytes())

    def write_bytes(self, name: str, data: bytes) -> None:
        """One file, whole."""
        write_whole(self.path / name, data)

    def clear(self) -> None:
        """Forget everything computed before (`force=true`)."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def remove_if_nothing_computed(self) -> None:
        """Drop a folder in which nothing was computed, so that nothing is left that looks like a run."""
        has_work = any((self.path / name).exists() for name in ("records.jsonl", "shards", "metrics.json", "work"))
        if self.path.exists() and not has_work:
            shutil.rmtree(self.path)


class RecordLog:
    """records.jsonl: one line per item measured, appended as work proceeds; a torn last line is dropped on opening."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._items: set[str] = set()
        self._repair()

    def _repair(self) -> None:
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        kept = 0
        for line in data.splitlines(keepends=True):
            try:
                if not line.endswith(b"\n"):
                    break
                self._items.add(str(json.loads(line)["item"]))
            except (ValueError, KeyError, TypeError):
                break
            kept += len(line)
        if kept != len(data):
            write_whole(self._path, data[:kept])

    def __contains__(self, item: str) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows whose `item` is not there yet, one flush for all. Raises `RunFailed` when the disk refuses."""
        lines = []
        for row in rows:
            item = str(row["item"])
            if item in self._items:
                continue
            self._items.add(item)
            lines.append(json.dumps(_finite(dict(row)), ensure_ascii=False, sort_keys=False))
        if not lines:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as stream:
                stream.write(("\n".join(lines) + "\n").encode("utf-8", errors="backslashreplace"))
                stream.flush()
        except OSError as error:
            raise RunFailed(f"cannot write {self._path}: {error.strerror or error}") from error

    def rows(self) -> list[dict[str, Any]]:
        """Everything recorded so far, in the order of the file."""
        if not self._path.exists():
            return []
        return [json.loads(line) for line in _lines(self._path)]


def _lines(path: Path) -> list[str]:
    # Not splitlines(): it also cuts at U+0085 and U+2028, which stand unescaped in JSON strings.
    return path.read_text(encoding="utf-8").split("\n")[:-1]


@dataclass(frozen=True, eq=False)
class Shard:
    """What is kept of a finished batch."""

    arrays: dict[str, np.ndarray]
    metadata: dict[str, str]
    """Facts that are no arrays, as text; empty where none were kept."""


class ShardStore:
    """Work done so far as one safetensors file per batch: what an interrupted run continues from."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def _name(self, key: str) -> str:
        return f"shards/{key}.safetensors"

    def read(self, key: str) -> Shard | None:
        """A finished batch, or None; an unreadable shard is work not done."""
        path = self._folder.path / self._name(key)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
                return Shard(arrays, file.metadata() or {})
        except (SafetensorError, OSError):
            return None

    def write(self, key: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
        """Keep a finished batch."""
        self._folder.write_arrays(self._name(key), arrays, metadata)

    def clear(self) -> None:
        """Drop the shards of a run that is complete: its arrays and records hold the answer."""
        shutil.rmtree(self._folder.path / "shards", ignore_errors=True)
