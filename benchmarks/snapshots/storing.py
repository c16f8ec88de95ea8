"""A folder of results as it is kept in a snapshot: texts and pictures as they are, arrays as their hashes."""

import hashlib
import json
import shutil
from pathlib import Path

from snapshots.plain import Placeholders, as_json

_TEXTS = {".json", ".jsonl", ".csv", ".tex", ".yaml", ".md", ".txt"}
_NAME_ONLY = {".pdf", ".lock"}


def store_tree(source: Path, target: Path, names: Placeholders) -> None:
    """Keep every file below `source` in `target`."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            _store(path, place, names)


def _store(path: Path, place: Path, names: Placeholders) -> None:
    if path.suffix == ".png":
        shutil.copyfile(path, place)
    elif path.suffix == ".safetensors":
        _write(place.with_name(f"{path.name}.json"), _arrays(path))
    elif path.name == "traceback.txt" or path.suffix in _NAME_ONLY:
        _write(place, "")
    elif path.name == "manifest.json":
        _write(place, names.manifest(path.read_text(encoding="utf-8")))
    elif path.name == "timings.json":
        _write(place, as_json(sorted(json.loads(path.read_text(encoding="utf-8")))))
    elif path.suffix == ".html":
        _write(place, names.report(path.read_text(encoding="utf-8")))
    elif path.suffix in _TEXTS:
        _write(place, names.text(path.read_text(encoding="utf-8")))
    else:
        _write(place, f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _arrays(path: Path) -> str:
    """Type, shape and hash of every array: read from the bytes, since numpy has no word for bfloat16."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    found = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name == "__metadata__":
            found[name] = entry
            continue
        low, high = entry["data_offsets"]
        digest = hashlib.sha256(raw[start + low : start + high]).hexdigest()
        found[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "sha256": digest}
    return as_json(found)
