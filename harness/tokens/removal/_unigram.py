"""Tokens taken out of Unigram: the piece is named so that no text holds it.

Its score stays: the library takes what an unknown character costs from the lowest score of all, so a score put out of
reach would cut other texts anew. Its place in the list stays, which is its id.
"""

from collections.abc import Collection

from harness.tokens.removal._patch import Patch, Remover


class UnigramRemover(Remover):
    """The pieces of one tokenizer."""

    def refusal(self, token_id: int) -> str | None:
        """One character that nothing else can write; a tokenizer in which no name is safe."""
        if not self._definition.spaces_never_arrive:
            return "pieces are looked up in the text, and no name is known that no text holds"
        if len(self._names[token_id]) <= 1 and not self._definition.falls_back_on_bytes:
            return "a single character, and there are no bytes that could stand in for it"
        return None

    def without(self, ids: Collection[int], reroute: bool) -> Patch:  # noqa: ARG002
        """These pieces under other names."""
        taken = set(self._names.values())
        renamed = {i: self._definition.placeholder(i, taken) for i in sorted(ids)}
        raw = self._definition.copy()
        raw["model"]["vocab"] = [
            [renamed.get(i, name), score] for i, (name, score) in enumerate(self._definition.model["vocab"])
        ]
        return Patch(raw, renamed=renamed)

    def reached(self, ids: Collection[int], patch: Patch | None) -> set[int]:
        """Those that are their own name's likeliest way to be cut."""
        backend = self._definition.backend if patch is None else patch.backend
        return {i for i in ids if [token.id for token in backend.model.tokenize(self._names[i])] == [i]}

    def pieces(self, ids: Collection[int], patch: Patch) -> dict[int, tuple[int, ...]]:
        """The likeliest way to cut their own names."""
        model = patch.backend.model
        return {i: tuple(token.id for token in model.tokenize(self._names[i])) for i in ids}
