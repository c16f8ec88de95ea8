"""Which tokenizer `tokenizer.name` means, pinned down to its files. Needs no torch and loads no tokenizer."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from harness.errors import Rejected
from harness.models._gguf_files import Part, converted_folder, is_gguf_name
from harness.models.identity import safe_label

_FILES: dict[str, tuple[str, ...]] = {
    "tokenizer*": ("tokenizer.json", "tokenizer.model", "tokenizer_config.json"),
    "vocab*": ("vocab.json", "vocab.txt"),
    "merges*": ("merges.txt",),
    "spiece*": ("spiece.model",),
    "sentencepiece*": ("sentencepiece.bpe.model",),
    "tekken*": ("tekken.json",),
    "*.spm": (),
    "*.tiktoken": (),
    "special_tokens*": (),
    "added_tokens*": (),
    "chat_template*": (),
    "additional_chat_templates/*.jinja": (),
}
"""Patterns of all files that change what a tokenizer does, as transformers names them; with each pattern, those of its
files that a tokenizer can be read from."""
READABLE_FILES = tuple(name for names in _FILES.values() for name in names)
"""A folder with none of these has no tokenizer; transformers would make up one of a single token."""


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
    """Find the tokenizer a name means: a folder, that of a GGUF file, or one on the hub, whose files are downloaded or
    found in the cache.

    Raises `Rejected` where there is none.
    """
    folder = Path(name).expanduser()
    if is_gguf_name(name):
        folder, label = tokenizer_folder(name), safe_label(folder.stem)
    elif folder.is_dir():
        label = safe_label(folder.resolve().name)
    else:
        folder, label = _from_hub(name), safe_label(name.replace("/", "--"))
    files = vocabulary_files(folder)
    if not files:
        raise Rejected.key("tokenizer.name", name, "a folder or hub name with a tokenizer's files in it")
    return TokenizerIdentity(name, folder, files_sha256(folder, files), label)


def tokenizer_folder(name: str) -> Path:
    """Where the files of a tokenizer named in the config would be on this machine; of a GGUF file, converted now.

    Raises `Rejected` for a GGUF file without a tokenizer that can be read. Any other folder need not be there.
    """
    if is_gguf_name(name):
        return converted_folder(name, "tokenizer.name", Part.TOKENIZER)
    return Path(name).expanduser()


def vocabulary_files(folder: Path) -> list[Path]:
    """The files of a folder that change what its tokenizer does, chat templates among them, sorted."""
    return sorted({path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()})


def files_sha256(folder: Path, files: Iterable[Path]) -> str:
    """Hex digest over contents and names, which are relative to `folder`."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _from_hub(name: str) -> Path:

    allowed = "a folder with a tokenizer's files, or a hub name"
    try:
        # config.json tells which class of tokenizer the files are for.
        return Path(snapshot_download(name, allow_patterns=[*_FILES, "config.json"]))
    except HFValidationError as error:
        raise Rejected.key("tokenizer.name", name, allowed) from error
    except Exception as error:  # the hub's errors and its HTTP library's have no common base
        reason = " ".join(str(error).split())[:160]
        raise Rejected(
            f"tokenizer.name: got {name!r}: it cannot be fetched ({type(error).__name__}: {reason}); allowed: {allowed}"
        ) from error


def has_tokenizer_files(folder: Path) -> bool:
    """Whether a folder holds a file that a tokenizer could be read from."""
    return any((folder / name).is_file() for name in READABLE_FILES)
