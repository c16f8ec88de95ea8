"""Two snapshots side by side: every difference, named and short."""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_MOST_LINES = 14
_LONGEST_LINE = 200


class Comparison:
    """What differs between the snapshots `a` and `b`, but for what `ignore` names.

    Compared are the chains named in `only`, or all of them. `ignore` holds shell patterns over paths inside a snapshot,
    or over `path:key` for a metric or an array; `ignore_lines` regular expressions: lines that one of them is found in
    are left out on both sides.
    """

    def __init__(
        self,
        a: Path,
        b: Path,
        only: Sequence[str] = (),
        ignore: Sequence[str] = (),
        ignore_lines: Sequence[str] = (),
    ) -> None:
        self._a, self._b, self._only, self._ignore = a, b, tuple(only), tuple(ignore)
        self._lines = re.compile("|".join(f"(?:{line})" for line in ignore_lines)) if ignore_lines else None

    def differences(self) -> Iterator[str]:
        """One text for each file, or folder, that differs."""
        mine, theirs = _files(self._a), _files(self._b)
        for here, there, side in ((mine, theirs, self._a), (theirs, mine, self._b)):
            wanted = {path for path in here - there if not self._is_ignored(path)}
            for path, n in _collapsed(wanted, there):
                yield f"only in {side}: {path}" + (f" ({n} files)" if n > 1 else "")
        for path in sorted(mine & theirs):
            if not self._is_ignored(path) and (self._a / path).read_bytes() != (self._b / path).read_bytes():
                found = self._file(path)
                if found:
                    yield f"{path}\n" + "\n".join(f"    {line[:_LONGEST_LINE]}" for line in found)

    def _is_ignored(self, path: str) -> bool:
        if self._only and path.split("/")[0] not in self._only:
            return True
        return any(fnmatchcase(path, pattern) for pattern in self._ignore)

    def _file(self, path: str) -> list[str]:
        if path.endswith(".png"):
            return ["another picture"]
        texts = [(folder / path).read_text(encoding="utf-8") for folder in (self._a, self._b)]
        if path.endswith((".safetensors.json", "/metrics.json")):
            return self._keys(path, *(json.loads(text) for text in texts))
        return _shortened(list(difflib.unified_diff(*(self._split(text) for text in texts), lineterm="", n=1))[2:])

    def _keys(self, path: str, a: dict[str, Any], b: dict[str, Any]) -> list[str]:
        pairs = {key: (a.get(key, "missing"), b.get(key, "missing")) for key in sorted(a.keys() | b.keys())}
        differ = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        kept = {key: pair for key, pair in differ.items() if not self._is_ignored(f"{path}:{key}")}
        return _shortened([f"{key}: {_shown(here)} -> {_shown(there)}" for key, (here, there) in kept.items()])

    def _split(self, text: str) -> list[str]:
        return [line for line in text.splitlines() if not (self._lines and self._lines.search(line))]


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).as_posix() != "taken.json"
    }


def _collapsed(paths: set[str], others: set[str]) -> list[tuple[str, int]]:
    """A folder in place of its files where the other side has nothing of it."""
    known = {str(parent) for path in others for parent in Path(path).parents}
    counts: dict[str, int] = {}
    for path in paths:
        outermost = [str(parent) for parent in reversed(Path(path).parents) if str(parent) not in known]
        name = outermost[0] if outermost else path
        counts[name] = counts.get(name, 0) + 1
    return sorted(counts.items())


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "sha256" in value:
        return f"{value['dtype']} {value['shape']} {value['sha256'][:8]}"
    return repr(value)


def _shortened(lines: list[str]) -> list[str]:
    rest = len(lines) - _MOST_LINES
    return lines if rest <= 1 else [*lines[:_MOST_LINES], f"... {rest} lines more"]
