"""A tokenizer without some tokens, and what each kind of tokenizer has to answer for that."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer as Backend

from harness.tokens.removal._definition import Definition, built
from harness.tokens.removal._merging import Merge


@dataclass(frozen=True, eq=False)
class Patch:
    """A changed definition, and what was changed in it."""

    raw: dict[str, Any]
    removed_merges: tuple[Merge, ...] = ()
    added_merges: tuple[Merge, ...] = ()
    renamed: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def backend(self) -> Backend:
        """The tokenizer that it makes."""
        return built(self.raw)


class Remover(ABC):
    """One kind of tokenizer."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._names = definition.names

    @abstractmethod
    def refusal(self, token_id: int) -> str | None:
        """Why a token of the model cannot be taken out, whatever else is; None where it can."""

    @abstractmethod
    def without(self, ids: Collection[int], reroute: bool) -> Patch:
        """The tokenizer with no way to these ids; `reroute` gives tokens made of them another way, if any."""

    @abstractmethod
    def reached(self, ids: Collection[int], patch: Patch | None) -> set[int]:
        """Which of these other ids some piece of text is encoded to, before (None) or after the patch."""

    @abstractmethod
    def pieces(self, ids: Collection[int], patch: Patch) -> dict[int, tuple[int, ...]]:
        """What the text of each of these ids is cut into after the patch, at the place in a word that it stands for."""

    def affected(self, ids: Collection[int]) -> set[int]:
        """Other tokens to which the ways may change with these ids, perhaps too many: those that hold one's text."""
        cores = {i: self._core(name) for i, name in self._names.items()}
        return set(_holding(cores, {cores[i] for i in ids})) - set(ids)

    def needed_by(self, token_id: int) -> set[int]:  # noqa: ARG002
        """Ids on the way to a token in the tokenizer as it was; none where a token is not made of others."""
        return set()

    def _core(self, name: str) -> str:
        """A name without the marks of its place in a word."""
        model = self._definition.model
        core = name.removeprefix(model.get("continuing_subword_prefix") or "")
        return core.removesuffix(model.get("end_of_word_suffix") or "")


def _holding(names: Mapping[int, str], parts: Collection[str]) -> Iterator[int]:
    """Ids of the names that hold one of these parts, itself included."""
    wanted = frozenset(parts)
    lengths = sorted({len(part) for part in wanted})
    for i, name in names.items():
        if any(name[at : at + length] in wanted for length in lengths for at in range(len(name) - length + 1)):
            yield i
