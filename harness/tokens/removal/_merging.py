"""How byte-pair merges put a token together, one name at a time.

What stands alone says what any text can say: where a token comes out of a longer piece, no merge crossed its ends, so
the merges inside it were those of its name alone. A token is therefore reachable by merges if and only if its own name
is merged into it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Merge = tuple[str, str]


def merges_of(model: Mapping[str, Any]) -> list[Merge]:
    """Its merges, in order; older files write one as "a b"."""
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model.get("merges") or ())
    return [(str(left), str(right)) for left, right in pairs]


@dataclass(frozen=True)
class Made:
    """What merging made of a name."""

    parts: tuple[str, ...]
    intermediates: frozenset[str]
    """Every token on the way, the last ones included, the characters that it began with not."""


class Merging:
    """The merges of one model, the marks that its tokens bear, and characters that have no token any more."""

    def __init__(self, model: Mapping[str, Any], merges: Iterable[Merge], gone: Collection[str] = ()) -> None:
        self._gone = frozenset(gone)
        self._prefix = model.get("continuing_subword_prefix") or ""
        self._suffix = model.get("end_of_word_suffix") or ""
        # Of a merge that is listed twice the later place counts, as in the library.
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}

    @property
    def has_marks(self) -> bool:
        """Whether tokens show where in a word they stand."""
        return bool(self._prefix or self._suffix)

    def result(self, merge: Merge) -> str:
        """The name that a merge makes."""
        left, right = merge
        return left + right.removeprefix(self._prefix)

    def symbols(self, name: str) -> list[str]:
        """What a token's name begins as: its characters with their marks, the bytes of those that are gone."""
        inner = name.startswith(self._prefix) if self._prefix else False
        ends = name.endswith(self._suffix) if self._suffix else False
        core = name.removeprefix(self._prefix) if inner else name
        core = core.removesuffix(self._suffix) if ends else core
        symbols = [self._prefix + c if at or inner else c for at, c in enumerate(core)]
        if ends and symbols:
            symbols[-1] += self._suffix
        return [part for c in symbols for part in (_bytes_of(c) if c in self._gone else [c])]

    def make(self, name: str) -> Made:
        """What becomes of a token's name by itself: the merge learnt first goes first, from the left."""
        parts, seen = self.symbols(name), set[str]()
        while len(parts) > 1:
            ranked = [
                (rank, at) for at, pair in enumerate(pairwise(parts)) if (rank := self._ranks.get(pair)) is not None
            ]
            if not ranked:
                break
            _, at = min(ranked)
            parts[at : at + 2] = [self.result((parts[at], parts[at + 1]))]
            seen.add(parts[at])
        return Made(tuple(parts), frozenset(seen))

    def makes(self, name: str) -> bool:
        """Whether its own name is merged into a token."""
        return self.make(name).parts == (name,)


def _bytes_of(character: str) -> list[str]:
    return [f"<0x{byte:02X}>" for byte in character.encode()]
