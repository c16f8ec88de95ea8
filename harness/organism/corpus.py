"""The text an organism learns from: Python's own standard library, split in two.

The tokenizer is trained on one corpus and the model on another, as with real models: text that only the tokenizer saw
yields tokens that training never shows. Kinds of text that only the tokenizer's corpus holds: character
tables, help texts, window programs, the old build and conversion tools. Of all other files the model's corpus holds
every one, the tokenizer's a hashed quarter. Another hashed quarter of the model's files is shown in the first pass
only, which leaves tokens that occur once or a few times.
"""

import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

TOKENIZER_ONLY = frozenset(
    {
        "distutils",
        "encodings",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "msilib",
        "pydoc_data",
        "tkinter",
        "turtle.py",
        "turtledemo",
    }
)
# Tests are left out: many installations of Python come without them, and the recipe should mean the same everywhere.
EXCLUDED = frozenset({"__pycache__", "dist-packages", "idle_test", "site-packages", "test", "tests"})
MAX_FILE_CHARS = 200_000


@dataclass(frozen=True)
class TextFile:
    """One file of the standard library, by its path inside it."""

    name: str
    text: str


@dataclass(frozen=True)
class Corpus:
    """The split: `tokenizer` and `model` may share files; `shown_once` is the part of `model` seen in one pass only."""

    tokenizer: tuple[TextFile, ...]
    model: tuple[TextFile, ...]
    shown_once: frozenset[str]
    sha256: str


def load_corpus(seed: int, root: Path | None = None) -> Corpus:
    """Read and split the standard library (or the Python files below `root`); `seed` varies which files go where."""
    files = _read_files(root or Path(sysconfig.get_paths()["stdlib"]))
    if not files:
        raise ValueError(f"root: got {root}, allowed: a folder with Python files")
    common = [file for file in files if file.name.split("/")[0] not in TOKENIZER_ONLY]
    shared = {file.name for file in common if _bucket(file.name, seed, "tokenizer") < 64}
    kept_out = {file.name for file in files} - {file.name for file in common}
    return Corpus(
        tokenizer=tuple(file for file in files if file.name in shared | kept_out),
        model=tuple(common),
        shown_once=frozenset(file.name for file in common if _bucket(file.name, seed, "passes") < 64),
        sha256=_digest(files),
    )


def _read_files(root: Path) -> list[TextFile]:
    files = []
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        parts = path.relative_to(root).parts
        if EXCLUDED.isdisjoint(parts):
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                # A handful of library files declare other encodings; the organism's text is UTF-8, as real models' is.
                continue
            if text.strip():
                files.append(TextFile("/".join(parts), text[:MAX_FILE_CHARS]))
    return files


def _bucket(name: str, seed: int, use: str) -> int:
    return sha256(f"{use}:{seed}:{name}".encode()).digest()[0]


def _digest(files: Sequence[TextFile]) -> str:
    digest = sha256()
    for file in files:
        digest.update(f"{file.name}\0{len(file.text)}\0".encode())
        digest.update(file.text.encode())
    return digest.hexdigest()
