"""From a GGUF file to the folder it was converted to, once and for all runs. Needs no torch where that is done."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from harness.errors import Rejected
from harness.files import whole_folder
from harness.models._cache_folder import cache_folder
from harness.models._weights import file_sha256
from harness.models.gguf_facts import GgufUnreadable

logger = logging.getLogger(__name__)

GGUF_SUFFIX = ".gguf"
_FORMAT = 1
"""Raised whenever a conversion writes other bytes."""
_MAGIC = b"GGUF"


class Part(Enum):
    """What of a file is wanted."""

    MODEL = "model"
    """Weights, config and tokenizer."""
    TOKENIZER = "tokenizer"
    """The tokenizer alone, which is small and quickly made."""


def is_gguf_name(name: str) -> bool:
    """Whether a name in a config means a GGUF file: by its ending, or by the first bytes of the file it names."""
    path = Path(name).expanduser()
    if path.is_dir():
        return False
    if name.lower().endswith(GGUF_SUFFIX):
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def converted_folder(name: str, key: str, part: Part) -> Path:
    """The folder that the file `name` was converted to, converted now if it was not.

    `key` is what the config calls it. It lies below `cache_folder()`, named by the file's sha256, and is written whole
    or not at all; of two processes one converts and the other waits. Raises `Rejected`, naming what is wrong with the
    file.
    """
    path = Path(name).expanduser().absolute()

    def refused(problem: str) -> Rejected:
        return Rejected(f"{key}: got {name!r}: {problem}")

    try:
        sha256 = file_sha256(path)
    except FileNotFoundError as error:
        raise refused("no such file; give a GGUF file on this machine, or a hub name without a file in it") from error
    except OSError as error:
        raise refused(f"it cannot be read ({error.strerror or error})") from error
    root = cache_folder() / "gguf"
    # Another transformers may read the same file differently.
    stem = f"{sha256}-v{_FORMAT}-transformers-{version('transformers')}"
    folder = root / (stem if part is Part.MODEL else f"{stem}-{part.value}")
    if part is Part.TOKENIZER and (root / stem).is_dir():
        return root / stem
    if folder.is_dir():
        return folder
    if find_spec("gguf") is None:
        raise refused("reading a GGUF file needs the package gguf, which is not installed; run `pip install gguf`")
    try:
        with _one_at_a_time(root, folder.name):
            if not folder.is_dir():
                _convert(path, sha256, folder, part)
    except GgufUnreadable as error:
        raise refused(str(error)) from error
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise refused(
            f"its converted copy cannot be written below {root} ({reason}); set HARNESS_CACHE to a folder "
            "with room for it"
        ) from error
    return folder


def _convert(path: Path, sha256: str, folder: Path, part: Part) -> None:
    # Only here: a file is converted once, and afterwards a found run is shown without PyTorch.
    from harness.models import _gguf_conversion as conversion

    convert: Callable[[Path, str, Path], None]
    convert = conversion.convert_model if part is Part.MODEL else conversion.convert_tokenizer
    started = time.perf_counter()
    logger.info("converting %s (%s), which is done once", path, _size([path]))
    with whole_folder(folder) as unfinished:
        convert(path, sha256, unfinished)
    seconds = time.perf_counter() - started
    logger.info("converted %s to %s (%s) in %.0f s", path.name, folder, _size(folder.iterdir()), seconds)


@contextmanager
def _one_at_a_time(root: Path, name: str) -> Iterator[None]:
    lock_path = root / ".locks" / f"{name}.lock"
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.warning("another process is converting the same file; waiting for it to end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _size(paths: Iterator[Path] | list[Path]) -> str:
    return f"{sum(path.stat().st_size for path in paths) / 1e6:,.0f} MB"
