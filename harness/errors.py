"""What can go wrong in a way a person should read: one line, no traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class HarnessError(Exception):
    """An error whose message is one line written for the person who ran the command."""

    exit_code = 1


class Rejected(HarnessError):
    """The request was refused before anything was computed (exit code 2)."""

    exit_code = 2

    @classmethod
    def key(cls, key: str, got: object, allowed: str) -> "Rejected":
        """Name the config key, the value it got and what it may be."""
        return cls(f"{key}: got {got!r}, allowed: {allowed}")


class RunFailed(HarnessError):
    """The run started and could not finish; its folder holds the traceback (exit code 1)."""


def nearest(word: str, known: Iterable[str], most: int = 3) -> str:
    """Words of `known` that look like `word`, as `'a', 'b'`; empty when none is near."""
    return ", ".join(repr(name) for name in get_close_matches(word, list(known), n=most, cutoff=0.5))
