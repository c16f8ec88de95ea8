"""Tokens taken out of byte-pair encoding: every merge that ends in one goes.

Three things are easily overlooked. Several merges may end in one token. With `ignore_merges` a whole word that stands
in the vocabulary is taken without any merge, so the entry itself must be named otherwise. A token of one character
needs no merge either; it is named otherwise too, and its character becomes bytes where the tokenizer has them.
"""

from collections.abc import Collection, Iterator

from harness.tokens.removal._definition import Definition
from harness.tokens.removal._merging import Merge, Merging, merges_of
from harness.tokens.removal._patch import Patch, Remover


class BpeRemover(Remover):
    """The merges of one tokenizer."""

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self._merges = merges_of(definition.model)
        self._before = Merging(definition.model, self._merges)
        self._ids = {name: i for i, name in self._names.items()}
        self._takes_whole_words = bool(definition.model.get("ignore_merges"))

    def refusal(self, token_id: int) -> str | None:
        """One character that nothing else can write; where whole words are looked up, a name that is nowhere safe."""
        name = self._names[token_id]
        falls_back = self._definition.falls_back_on_bytes and not self._before.has_marks
        if len(self._before.symbols(name)) <= 1 and not falls_back:
            return "a single character, and there are no bytes that could stand in for it"
        if self._takes_whole_words and not self._definition.spaces_never_arrive:
            return "whole words are looked up without merges, and no name is known that no text holds"
        return None

    def without(self, ids: Collection[int], reroute: bool) -> Patch:
        """No merge ends in one of these ids; tokens made of them are merged of two others where that gives them."""
        doomed = {self._names[i] for i in ids}
        renamed = {i: self._definition.placeholder(i, self._ids) for i in sorted(ids) if self._must_be_renamed(i)}
        gone = {self._names[i] for i in renamed}
        removed = tuple(merge for merge in self._merges if self._before.result(merge) in doomed or gone & set(merge))
        ways = self._other_ways(ids, frozenset(removed), gone) if reroute else {}
        raw = self._definition.copy()
        raw["model"]["merges"] = [list(merge) for merge in self._with(ways, frozenset(removed))]
        names = self._names | renamed
        raw["model"]["vocab"] = {name: i for i, name in names.items()}
        return Patch(raw, removed, tuple(merge for new in ways.values() for merge in new), renamed)

    def reached(self, ids: Collection[int], patch: Patch | None) -> set[int]:
        """Those that their own names are merged into, and those that are taken as whole words."""
        merging = self._before if patch is None else self._after(patch)
        found = {i for i in ids if merging.makes(self._names[i])}
        return found | (self._whole_words(set(ids) - found, patch) if self._takes_whole_words else set())

    def pieces(self, ids: Collection[int], patch: Patch) -> dict[int, tuple[int, ...]]:
        """What their own names are merged into."""
        merging = self._after(patch)
        return {i: tuple(self._ids[part] for part in merging.make(self._names[i]).parts) for i in ids}

    def needed_by(self, token_id: int) -> set[int]:
        """What the token's own name goes through, its characters included."""
        name = self._names[token_id]
        steps = {*self._before.make(name).intermediates, *self._before.symbols(name)} - {name}
        return {self._ids[step] for step in steps if step in self._ids}

    def _after(self, patch: Patch) -> Merging:
        gone = [self._names[i] for i in patch.renamed]
        return Merging(patch.raw["model"], merges_of(patch.raw["model"]), gone)

    def _must_be_renamed(self, token_id: int) -> bool:
        return self._takes_whole_words or len(self._before.symbols(self._names[token_id])) <= 1

    def _other_ways(
        self, ids: Collection[int], removed: frozenset[Merge], gone: Collection[str]
    ) -> dict[str, list[Merge]]:
        """New merges by the token that they give back: of the two tokens that its name falls into without these ids.

        Only such a pair is added: three parts would need a token between, and to make that where it was not made before
        would cut other texts anew.
        """
        waiting = sorted(name for i in self.affected(ids) if self._before.makes(name := self._names[i]))
        ways: dict[str, list[Merge]] = {}
        while True:
            merging = Merging(self._definition.model, self._with(ways, removed), gone)
            made = {name: merging.make(name).parts for name in waiting}
            pairs = {name: parts for name, parts in made.items() if len(parts) == 2 and merging.result(parts) == name}
            if not pairs:
                return ways
            for name, (left, right) in pairs.items():
                ways.setdefault(name, []).append((left, right))

    def _with(self, ways: dict[str, list[Merge]], removed: frozenset[Merge]) -> Iterator[Merge]:
        """The merges that are left, each new one where the first that made the same token stood."""
        waiting = dict(ways)
        for merge in self._merges:
            yield from waiting.pop(self._before.result(merge), ())
            if merge not in removed:
                yield merge

    def _whole_words(self, ids: Collection[int], patch: Patch | None) -> set[int]:
        backend = self._definition.backend if patch is None else patch.backend
        ordered = sorted(ids)
        texts = self._definition.backend.decode_batch([[i] for i in ordered], skip_special_tokens=False)
        rows = backend.encode_batch_fast(texts, add_special_tokens=False)
        return {i for i, row in zip(ordered, rows, strict=True) if row.ids == [i]}
