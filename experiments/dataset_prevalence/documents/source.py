"""Where documents come from and how they are written: files of a known format, or a data set of the hub."""

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

from harness.errors import FieldRejected
from harness.runs.progress import progress_bar

_BLOCK = 1 << 20
_SUFFIXES = {
    ".txt": "text", ".text": "text", ".md": "text", ".rst": "text", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".json": "json", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


class Format(Enum):
    """How documents are written."""

    AUTO = "auto"
    """By the end of the file's name: .txt .md .rst, .jsonl .ndjson, .json, .parquet; .gz after any but the last."""
    TEXT = "text"
    """Plain UTF-8; a document ends after one or more blank lines."""
    JSON = "json"
    """One list of records."""
    JSONL = "jsonl"
    """One record a line."""
    PARQUET = "parquet"
    HUB = "hub"
    """A data set of the hub by its name, streamed."""


@dataclass(frozen=True)
class File:
    """One file of a data set."""

    path: Path
    format: Format

    @property
    def is_gzip(self) -> bool:
        """Whether it is packed with gzip."""
        return self.path.suffix == ".gz"


@dataclass(frozen=True)
class HubName:
    """A data set of the hub, one split of it at one commit."""

    name: str
    subset: str | None
    split: str
    revision: str


Source = tuple[File, ...] | HubName


def find_files(path: Path, wanted: Format) -> tuple[File, ...]:
    """The file, or those of a known format in the folder, by name. Raises `Rejected` where there is none."""
    if path.is_file():
        return (File(path, _format_of(path, wanted)),)
    if not path.is_dir():
        raise FieldRejected.key("path", str(path), "a file, a folder of files, or the name of a data set on the hub")
    inside = sorted(file for file in path.rglob("*") if file.is_file() and _by_suffix(file) is not None)
    if not inside:
        raise FieldRejected.key("path", str(path), f"a folder with {', '.join(sorted(_SUFFIXES))} files; it has none")
    return tuple(File(file, _format_of(file, wanted)) for file in inside)


def looks_like_a_hub_name(text: str) -> bool:
    """Whether a text that is no path on this machine may be a data set's name on the hub."""
    return re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", text) is not None and _by_suffix(Path(text)) is None


@cache
def find_on_hub(name: str, subset: str | None, split: str, revision: str | None) -> HubName:
    """The data set at its present commit, asked for once in a process: what is hashed is what is read.

    Raises `Rejected` where the hub has none, or cannot be reached.
    """

    def refuse(problem: str) -> FieldRejected:
        allowed = "a file or folder on this machine, or a data set the hub has"
        return FieldRejected(f"path: got {name!r}: {problem}; allowed: {allowed}")

    if constants.HF_HUB_OFFLINE:
        raise refuse("no such file, and the hub is switched off (HF_HUB_OFFLINE)")
    try:
        commit = HfApi().dataset_info(name, revision=revision, timeout=15.0).sha
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled) as error:
        raise refuse(f"the hub has no such data set ({_brief(error)})") from error
    except OSError as error:
        raise refuse(f"the hub cannot be reached ({_brief(error)})") from error
    except Exception as error:
        # Connection errors of the hub client's HTTP library, which depends on its version, have no common base class.
        if type(error).__module__.split(".")[0] not in ("httpx", "httpcore", "requests", "httpx2"):
            raise
        raise refuse(f"the hub cannot be reached ({_brief(error)})") from error
    return HubName(name, subset, split, str(commit))


def fingerprint(source: Source) -> str:
    """Stands for the bytes of the files (sha256, names left out), or the commit on the hub."""
    if isinstance(source, HubName):
        return f"{source.name}@{source.revision}/{source.subset}/{source.split}"
    digest = hashlib.sha256()
    for file in source:
        state = file.path.stat()
        digest.update(_file_digest(file.path, state.st_size, state.st_mtime_ns) + file.format.value.encode())
    return digest.hexdigest()


@cache
def _file_digest(path: Path, size: int, _: int) -> bytes:
    """Of one file as it is now: size and time of its last change tell whether it has to be read again."""
    digest = hashlib.sha256()
    with path.open("rb") as stream, progress_bar(size, f"hashing {path.name}") as advance:
        while block := stream.read(_BLOCK):
            digest.update(block)
            advance(len(block))
    return digest.digest()


def total_bytes(source: Source) -> int:
    """Size of the files on disk; 0 for the hub, where it is not known beforehand."""
    return 0 if isinstance(source, HubName) else sum(file.path.stat().st_size for file in source)


def _by_suffix(path: Path) -> Format | None:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    name = _SUFFIXES.get(suffix.lower())
    return Format(name) if name is not None else None


def _format_of(path: Path, wanted: Format) -> Format:
    found = wanted if wanted is not Format.AUTO else _by_suffix(path)
    if found is None:
        suffixes = ", ".join(sorted(_SUFFIXES))
        raise FieldRejected(f"path: got {str(path)!r}, allowed: a name that ends in one of {suffixes}; or ", "format=")
    if found is Format.HUB:
        raise FieldRejected.key("format", "hub", f"text, json, jsonl or parquet for {path}, which is a file")
    if found is Format.PARQUET and path.suffix == ".gz":
        raise FieldRejected.key("path", str(path), "parquet as it is: it is packed inside")
    return found


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]}" if text else type(error).__name__
