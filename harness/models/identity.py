"""Which model a config means: the embedded one, a folder, a GGUF file, or a commit on the hub. Needs no torch."""

import os
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from harness.errors import Rejected
from harness.models._gguf_files import Part, converted_folder, is_gguf_name
from harness.models._hub import resolve_commit
from harness.models._weights import check_weights, weights_sha256
from harness.models.config import ModelConfig
from harness.models.gguf_facts import GgufFacts, read_gguf_facts

EMBEDDED_NAME = "pocket"
EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "organism" / "model"
"""The shipped organism, in Hugging Face format with its exposures and recipe beside the weights."""
_LONGEST_LABEL = 48


class ModelSource(Enum):
    """Where the weights come from."""

    EMBEDDED = "embedded"
    LOCAL = "local"
    GGUF = "gguf"
    HUB = "hub"


@dataclass(frozen=True)
class ModelIdentity:
    """A model pinned down to its bytes: a folder and the hash of its weights, or a commit on the hub."""

    name: str
    """As given in `model.name`."""
    source: ModelSource
    path: Path | None
    """The folder, absolute; that of the converted copy for a GGUF file; None for a hub model."""
    revision: str | None
    """The commit of a hub model; None for a folder."""
    weights_sha256: str | None
    """Over the weight files and config.json; None for a hub model, whose commit identifies the bytes as well."""
    label: str
    """Short and safe in a file name; a run id starts with it."""
    # Its mappings have no hash; the weights' own is enough.
    gguf: GgufFacts | None = field(default=None, hash=False)
    """The file the weights were converted from; None for any other model."""

    @property
    def location(self) -> str:
        """What the libraries' `from_pretrained` gets: the folder, or the hub name."""
        return str(self.path) if self.path is not None else self.name

    @property
    def fingerprint(self) -> str:
        """Equal for two identities exactly when their weights are the same bytes."""
        return self.weights_sha256 or f"{self.name}@{self.revision}"


def resolve_identity(config: ModelConfig) -> ModelIdentity:
    """Find the model a config names and pin it down.

    Folders are checked (`check_weights`) and hashed; a GGUF file is converted to a folder when it is first seen; a hub
    name is resolved to its commit, from the local cache when the hub is switched off (HF_HUB_OFFLINE) or cannot be
    reached.
    Raises `Rejected` for anything that cannot be loaded, saying why.
    """
    if config.name == EMBEDDED_NAME:
        return _folder_identity(config, EMBEDDED_FOLDER, ModelSource.EMBEDDED)
    if is_gguf_name(config.name):
        return _gguf_identity(config)
    if _is_folder_name(config.name):
        return _folder_identity(config, Path(config.name).expanduser(), ModelSource.LOCAL)

    commit = resolve_commit(config)
    return ModelIdentity(config.name, ModelSource.HUB, None, commit, None, safe_label(config.name.replace("/", "--")))


def safe_label(text: str) -> str:
    """`text` with everything but letters, digits, `.`, `_` and `-` replaced, cut to a length fit for file names."""
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:_LONGEST_LABEL].rstrip("-.")
    return label or "model"


def _is_folder_name(name: str) -> bool:
    # transformers, too, takes an existing folder before a hub name.
    return name.startswith(("/", "./", "../", "~", ".\\", "..\\")) or name in (".", "..") or os.path.isdir(name)


def _folder_identity(config: ModelConfig, folder: Path, source: ModelSource) -> ModelIdentity:
    if config.revision is not None:
        raise Rejected.key("model.revision", config.revision, f"nothing, since model.name={config.name} is a folder")
    folder = Path(os.path.abspath(folder))
    check_weights(folder)
    label = EMBEDDED_NAME if source is ModelSource.EMBEDDED else safe_label(folder.name)
    return ModelIdentity(config.name, source, folder, None, weights_sha256(folder), label)


def _gguf_identity(config: ModelConfig) -> ModelIdentity:
    if config.revision is not None:
        raise Rejected.key("model.revision", config.revision, f"nothing, since model.name={config.name} is a file")
    folder = converted_folder(config.name, "model.name", Part.MODEL)
    path = Path(config.name).expanduser()
    try:
        facts = replace(read_gguf_facts(folder), file=path.name)
        check_weights(folder)
    except (OSError, ValueError, TypeError, Rejected) as error:
        raise Rejected(
            f"model.name: got {config.name!r}: its converted copy {folder} is damaged "
            f"({' '.join(str(error).split())}); delete that folder, and it is made again"
        ) from error
    label = safe_label(path.stem)
    return ModelIdentity(config.name, ModelSource.GGUF, folder, None, weights_sha256(folder), label, facts)
