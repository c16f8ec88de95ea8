"""Tokens taken out of WordPiece: the piece is named so that no word holds it, and the next longest is taken.

A word becomes the unknown token as soon as one of its letters cannot be written, so every character of a removed token
must have a piece of its own, at the place where it stands.
"""

from collections.abc import Collection, Iterator

from harness.tokens.removal._definition import Definition
from harness.tokens.removal._patch import Patch, Remover


class WordPieceRemover(Remover):
    """The pieces of one tokenizer."""

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self._taken = set(self._names.values())
        self._prefix = str(definition.model.get("continuing_subword_prefix") or "")

    def refusal(self, token_id: int) -> str | None:
        """A character, or a token with one that has no piece of its own."""
        if not self._definition.spaces_never_arrive:
            return "pieces are looked up in the text, and no name is known that no text holds"
        characters = self._characters(self._names[token_id])
        if len(characters) <= 1:
            return "a single character, and nothing could stand in for it"
        lacking = sorted(set(characters) - self._taken)
        return f"its words could not be written without it: there is no piece {lacking[0]!r}" if lacking else None

    def without(self, ids: Collection[int], reroute: bool) -> Patch:  # noqa: ARG002
        """These pieces under other names."""
        renamed = {i: self._definition.placeholder(i, self._taken) for i in sorted(ids)}
        raw = self._definition.copy()
        raw["model"]["vocab"] = {name: i for i, name in (self._names | renamed).items()}
        return Patch(raw, renamed=renamed)

    def reached(self, ids: Collection[int], patch: Patch | None) -> set[int]:
        """All that have their name still: the longest piece is taken, and no piece is longer than its own name."""
        return set(ids) - set(patch.renamed if patch is not None else ())

    def pieces(self, ids: Collection[int], patch: Patch) -> dict[int, tuple[int, ...]]:
        """The longest piece, and then again."""
        vocabulary: dict[str, int] = patch.raw["model"]["vocab"]
        return {i: tuple(self._longest_first(self._characters(self._names[i]), vocabulary)) for i in ids}

    def _longest_first(self, characters: list[str], vocabulary: dict[str, int]) -> Iterator[int]:
        start = 0
        while start < len(characters):
            for end in range(len(characters), start, -1):
                inner = (c.removeprefix(self._prefix) for c in characters[start + 1 : end])
                found = vocabulary.get(characters[start] + "".join(inner))
                if found is not None:
                    break
            assert found is not None, "see refusal: every character has a piece"
            yield found
            start = end

    def _characters(self, name: str) -> list[str]:
        inner = bool(self._prefix) and name.startswith(self._prefix)
        core = name.removeprefix(self._prefix) if inner else name
        return [self._prefix + c if at or inner else c for at, c in enumerate(core)]
