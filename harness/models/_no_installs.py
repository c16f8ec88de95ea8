"""No library may install anything: TransformerLens runs `pip install torchvision` where a processor wants it.

That replaces a user's build of PyTorch. Within `no_installs` a child process that is an installer is refused before it
starts; whoever wanted it sees an error, which TransformerLens takes for "not to be had".
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

_INSTALLERS = frozenset({"pip", "pip3", "uv", "conda", "mamba", "poetry", "easy_install"})
_SHELLS = frozenset({"sh", "bash", "dash", "zsh"})


class _Guard:
    """The audit hook, which cannot be taken off again, and how many blocks want it now: in any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_added, self._n_open = False, 0

    def open(self) -> None:
        with self._lock:
            self._n_open += 1
            if not self._is_added:
                sys.addaudithook(self._refuse)
                self._is_added = True

    def close(self) -> None:
        with self._lock:
            self._n_open -= 1

    def _refuse(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._n_open:
            _refuse_installers(event, arguments)


_GUARD = _Guard()


@contextmanager
def no_installs() -> Iterator[None]:
    """Refuse every child process that would install packages, with PermissionError."""
    _GUARD.open()
    try:
        yield
    finally:
        _GUARD.close()


def is_installer(words: Sequence[str]) -> bool:
    """Whether a command line calls an installer: `pip ...`, `/usr/bin/uv ...`, `python -m pip ...`; in a shell, too."""
    if words and os.path.basename(words[0]) in _SHELLS and "-c" in words[:-1]:
        words = words[words.index("-c") + 1].split()
    names = [os.path.basename(word).removesuffix(".exe") for word in words]
    module = words[words.index("-m") + 1 : words.index("-m") + 2] if "-m" in words else []
    return bool(names) and (names[0] in _INSTALLERS or any(name in _INSTALLERS for name in module))


def _refuse_installers(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        return
    command = arguments[0] if event == "os.system" else arguments[1]
    if isinstance(command, str | bytes):
        words = os.fsdecode(command).split()
    else:
        words = [os.fsdecode(word) for word in command] if isinstance(command, Sequence) else []
    if is_installer(words):
        raise PermissionError(f"a library wanted to run {' '.join(words)!r}: loading a model installs nothing")
