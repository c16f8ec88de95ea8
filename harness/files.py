"""Files written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from harness.errors import RunFailed


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` so that a reader sees the old file or the new one, never a part. Raises `RunFailed`."""
    try:
        with open_whole(path) as stream:
            stream.write(data)
    except OSError as error:
        raise RunFailed(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def open_whole(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file `path` when the block ends well, and is dropped when it does not.

    Not `durable`: a power cut may leave a damaged file, which suits files with a checksum that can be made again.
    Raises OSError where the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        _move(Path(temporary), path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def folder_of_whole_files(folder: Path) -> Iterator[Path]:
    """An empty folder for a library that writes several files by itself: moved to `folder`, each whole, at the end.

    Nothing is moved where the block fails. Raises `RunFailed` where the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=".tmp") as temporary:
            yield Path(temporary)
            for path in sorted(Path(temporary).iterdir()):
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
                _move(path, folder / path.name)
    except OSError as error:
        raise RunFailed(f"cannot write {folder}: {error.strerror or error}") from error


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that becomes `folder`, with everything written into it, when the block ends well.

    It is dropped when the block fails; one that a killed process left is cleared, so hold a lock. Raises OSError where
    the disk refuses.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                path.chmod(0o666 & ~_umask())
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _move(temporary: Path, path: Path) -> None:
    # Temporary files are private to their owner, as are those of safetensors; results are shared like any other file.
    temporary.chmod(0o666 & ~_umask())
    os.replace(temporary, path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
