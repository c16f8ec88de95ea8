"""Checks a folder of weights before anything is loaded from it."""

import hashlib
import json
import logging
import pickle
import warnings
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from harness.errors import Rejected

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
ALLOWED = "a folder with config.json and safetensors weights, a GGUF file, a hub name, or 'pocket'"
# The names transformers looks for, in its order of preference; other weight files of a folder are never read.
_CANDIDATES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


class WeightFormat(Enum):
    """How weights are written on disk."""

    SAFETENSORS = "safetensors"
    PICKLE = "pickle"


@dataclass(frozen=True)
class WeightFiles:
    """The files that transformers would read, with the index first where the weights are sharded."""

    format: WeightFormat
    paths: tuple[Path, ...]


def refused(folder: Path, problem: str, allowed: str = ALLOWED) -> Rejected:
    """The one line a person reads when the folder cannot be used."""
    return Rejected(f"model.name: got {str(folder)!r}: {problem}; allowed: {allowed}")


def read_config_json(folder: Path) -> dict[str, Any]:
    """The parsed config.json of a model folder.

    Raises `Rejected` where the folder or the file is missing, or the file is not a JSON object that names a model type.
    """
    if not folder.exists():
        raise refused(folder, "no such folder")
    if not folder.is_dir():
        raise refused(folder, "not a folder")
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise refused(folder, f"the folder has no config.json{_of_gguf_files(folder)}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise refused(folder, f"config.json is not valid JSON ({error})") from error
    except OSError as error:
        raise refused(folder, f"config.json cannot be read ({error.strerror})") from error
    if not isinstance(content, dict):
        raise refused(folder, "config.json holds no JSON object")
    if not content.get("model_type") and not content.get("architectures"):
        raise refused(folder, "config.json names neither a model_type nor architectures")
    return content


def _of_gguf_files(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("*.gguf"))
    return f"; for a GGUF file in it give the file: model.name={folder / names[0]}" if names else ""


def find_weights(folder: Path) -> WeightFiles:
    """The weight files of a folder, as transformers chooses them.

    Raises `Rejected` where there are none, or where an index names a file that is not there.
    """
    for name in _CANDIDATES:
        path = folder / name
        if not path.is_file():
            continue
        weight_format = WeightFormat.PICKLE if name.startswith("pytorch_model") else WeightFormat.SAFETENSORS
        paths = (path, *_shards(folder, path)) if name.endswith(".json") else (path,)
        return WeightFiles(weight_format, paths)
    raise refused(folder, f"the folder has no weights (none of {', '.join(_CANDIDATES)})")


def check_weights(folder: Path) -> WeightFiles:
    """Refuse a model folder whose weights cannot be read whole; returns the files that hold them.

    Reads config.json and the headers of safetensors files; pickles are read through, by torch's weights-only reader.
    Raises `Rejected` with the file and what is wrong with it.
    """
    read_config_json(folder)
    files = find_weights(folder)
    for path in files.paths:
        if path.suffix == ".json":
            continue
        if files.format is WeightFormat.SAFETENSORS:
            _check_safetensors(folder, path)
        else:
            _check_pickle(folder, path)
    return files


def weights_sha256(folder: Path) -> str:
    """Hex sha256 over the names and contents of the weight files and config.json."""
    total = hashlib.sha256()
    for path in (folder / CONFIG_FILE, *find_weights(folder).paths):
        try:
            digest = file_sha256(path)
        except OSError as error:
            raise refused(folder, f"{path.name} cannot be read ({error.strerror})") from error
        total.update(f"{path.name}\0{digest}\n".encode())
    return total.hexdigest()


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's content. Raises OSError where it cannot be read."""
    about = path.stat()
    return _file_sha256(_FileState(path.absolute(), about.st_size, about.st_mtime_ns))


class _FileState(NamedTuple):
    """A file as it was left by whoever wrote it last."""

    path: Path
    size: int
    mtime_ns: int


@cache
def _file_sha256(state: _FileState) -> str:
    """Hex sha256 of the content, read once per process: weights are large, and a sweep asks for them in every job."""
    with state.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shards(folder: Path, index: Path) -> tuple[Path, ...]:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(weight_map.values()))
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise refused(folder, f"{index.name} is not a valid index of shards ({type(error).__name__})") from error
    for name in names:
        # An index comes with the weights: it must not make us read files outside the folder.
        if not isinstance(name, str) or Path(name).name != name:
            raise refused(folder, f"{index.name} names the shard {name!r}, which is not a file of this folder")
        if not (folder / name).is_file():
            raise refused(folder, f"the shard {name} named in {index.name} is missing")
    if not names:
        raise refused(folder, f"{index.name} names no shards")
    return tuple(folder / name for name in names)


def _check_safetensors(folder: Path, path: Path) -> None:
    # Opening reads the header alone and compares it with the file's size: every byte must belong to one tensor.
    try:
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as error:
        raise refused(folder, f"{path.name} is truncated or corrupt: {_one_line(error)}") from error
    except OSError as error:
        raise refused(folder, f"{path.name} cannot be read ({_one_line(error)})") from error


def _check_pickle(folder: Path, path: Path) -> None:
    # Only here: almost all weights are safetensors, and a found run is shown without PyTorch.
    import torch

    logger.info("%s holds pickled weights: reading them with torch's weights-only reader", path.name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = _refusal(str(error))
        raise refused(folder, f"{path.name} is a pickle that torch's weights-only reader refuses: {reason}") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise refused(folder, f"{path.name} is truncated or corrupt: {_one_line(error)}") from error
    if not isinstance(content, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in content.values()):
        raise refused(folder, f"{path.name} holds something other than named tensors")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _refusal(text: str) -> str:
    """What torch's reader refused: its message explains at length how to switch the safety off, before and after."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    reasons = [p for p in paragraphs if p and not p.startswith(("Weights only load failed", "Check the documentation"))]
    return (reasons[0] if reasons else paragraphs[0])[:200]
