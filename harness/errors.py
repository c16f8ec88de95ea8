"""What can go wrong in a way a person should read: one line, no traceback."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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


class FieldRejected(Rejected):
    """A refusal by whoever knows a value as a field of a dataclass, and not where that stands in the config.

    Each piece of the message begins with a field's name. `fields_below` makes keys of the config of them.
    """

    def __init__(self, *pieces: str) -> None:
        super().__init__("".join(pieces))
        self.pieces = pieces


@contextmanager
def fields_below(prefix: str) -> Iterator[None]:
    """Whatever refuses a field within the block names it as the key of the config that it is, e.g. below `exp.`."""
    try:
        yield
    except FieldRejected as error:
        raise Rejected("".join(prefix + piece for piece in error.pieces)) from error.__cause__


class RunFailed(HarnessError):
    """The run started and could not finish; its folder holds the traceback (exit code 1)."""


def span(low: int, high: int) -> str:
    """The whole numbers from `low` to `high` as a refusal names them: `2 to 5`, `2`; `no value` where there is none."""
    if high < low:
        return "no value"
    return f"{low} to {high}" if high > low else str(low)


def nearest(word: str, known: Iterable[str], most: int = 3) -> str:
    """Words of `known` that look like `word`, as `'a', 'b'`; empty when none is near."""
    return ", ".join(repr(name) for name in get_close_matches(word, list(known), n=most, cutoff=0.5))
