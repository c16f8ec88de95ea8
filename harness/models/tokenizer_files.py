"""Which tokenizer `tokenizer.name` means, pinned down to its files. Needs no torch and loads no tokenizer."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from harness.errors import Rejected
from harness.models.identity import safe_label

_FILES = ("tokenizer", "vocab", "merges", "special_tokens", "added_tokens", "spiece", "sentencepiece", "tekken")


@dataclass(frozen=True)
class TokenizerIdentity:
    """A tokenizer by its bytes."""

    name: str
    """As given in `tokenizer.name`."""
    folder: Path
    """Where its files are on this machine."""
    sha256: str
    """Over the names and contents of its files."""
    label: str
    """Short and safe in a file name; the id of a run without a model starts with it."""


def resolve_tokenizer(name: str) -> TokenizerIdentity:
    """Find the tokenizer a name means: a folder, or one on the hub, whose files are downloaded or found in the cache.

    Raises `Rejected` where there is none.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        label = safe_label(folder.resolve().name)
    else:
        folder, label = _from_hub(name), safe_label(name.replace("/", "--"))
    files = vocabulary_files(folder)
    if not files:
        raise Rejected.key("tokenizer.name", name, "a folder or hub name with a tokenizer's files in it")
    return TokenizerIdentity(name, folder, files_sha256(files), label)


def vocabulary_files(folder: Path) -> list[Path]:
    """The files a tokenizer is read from, sorted."""
    return sorted(path for path in folder.iterdir() if path.name.startswith(_FILES) and path.is_file())


def files_sha256(files: list[Path]) -> str:
    """Hex digest over names and contents."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _from_hub(name: str) -> Path:

    allowed = "a folder with a tokenizer's files, or a hub name"
    try:
        # config.json tells which class of tokenizer the files are for.
        return Path(snapshot_download(name, allow_patterns=[*(f"{start}*" for start in _FILES), "config.json"]))
    except HFValidationError as error:
        raise Rejected.key("tokenizer.name", name, allowed) from error
    except Exception as error:  # the hub's errors and its HTTP library's have no common base
        reason = " ".join(str(error).split())[:160]
        raise Rejected(
            f"tokenizer.name: got {name!r}: it cannot be fetched ({type(error).__name__}: {reason}); allowed: {allowed}"
        ) from error


# A folder with none of these has no tokenizer; asked anyway, transformers makes up one of a single token.
READABLE_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)


def has_tokenizer_files(folder: Path) -> bool:
    """Whether a folder holds a file that a tokenizer could be read from."""
    return any((folder / name).is_file() for name in READABLE_FILES)
