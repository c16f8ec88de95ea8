"""A tokenizer in which no text leads to some tokens, and what that does to the others."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from harness.tokens.removal._added import added_refusal, without_added
from harness.tokens.removal._bpe import BpeRemover
from harness.tokens.removal._definition import Definition, Kind
from harness.tokens.removal._merging import Merge
from harness.tokens.removal._patch import Patch, Remover
from harness.tokens.removal._unigram import UnigramRemover
from harness.tokens.removal._wordpiece import WordPieceRemover
from harness.tokens.removal.longer import Longer

_REMOVERS: Mapping[Kind, Callable[[Definition], Remover]] = {
    Kind.BPE: BpeRemover,
    Kind.UNIGRAM: UnigramRemover,
    Kind.WORDPIECE: WordPieceRemover,
}


@dataclass(frozen=True)
class Removal:
    """A patched tokenizer, and what is different in it. Ids and the embedding matrix are what they were."""

    definition: str
    """The patched tokenizer.json."""
    removed: tuple[int, ...]
    """Ids that were asked for and that no text leads to now, ascending."""
    also_removed: tuple[int, ...]
    """Ids that no text led to, either, before, and some text would have led to without these tokens."""
    refused: Mapping[int, str]
    """Ids that were asked for and are reachable as before, with the reason."""
    removed_merges: tuple[Merge, ...]
    added_merges: tuple[Merge, ...]
    """Merges that give longer tokens another way."""
    renamed: Mapping[int, str]
    """Names in place of removed tokens' own: these ids no longer decode to their old text."""
    left_added: tuple[int, ...]
    """Ids that are no longer added tokens."""
    newly_unreachable: tuple[int, ...]
    """Other ids to which no text leads any more, ascending."""
    pieces: Mapping[int, tuple[int, ...]]
    """What the text of each id in `removed`, `also_removed` and `newly_unreachable` is cut into now, by itself."""


def remove_tokens(
    definition: str | None,
    ids: Collection[int],
    longer: Longer = Longer.KEEP,
    protected: Collection[int] = (),
) -> Removal:
    """A tokenizer.json in which no text is encoded to `ids`, all other ids are what they were, and nothing becomes
    unknown that was not.

    `definition` is the content of a tokenizer.json; None, as of a tokenizer without one, is refused. `protected` ids
    (special tokens by name) are refused one by one, as are single bytes and what no other token can write. Raises
    `Rejected` for a tokenizer that is neither BPE nor Unigram nor WordPiece. Removing every merge path to a token with
    its id kept, and naming a character's token otherwise so that it falls back on bytes: patches filed against Gemma 4
    by their users, 2026.
    """
    return _Work(Definition.read(definition), longer, protected).done(ids)


class _Work:
    """One removal, done again until nothing more follows from it."""

    def __init__(self, given: Definition, longer: Longer, protected: Collection[int]) -> None:
        self._given = given
        self._longer = longer
        self._protected = frozenset(protected)
        self._remover = _remover(given)

    def done(self, ids: Collection[int]) -> Removal:
        asked = set(map(int, ids))
        refused = {i: reason for i in asked if (reason := self._reason(i)) is not None}
        extra: set[int] = set()
        while True:
            definition = without_added(self._given, asked - set(refused))
            remover = _remover(definition)
            doomed = ((asked - set(refused)) & set(self._given.names)) | extra
            patch = remover.without(doomed, reroute=self._longer is not Longer.LOSE)
            lost, gained = _changes(remover, patch, doomed, definition)
            stays = self._that_must_stay(remover, patch, doomed - extra, lost)
            if stays:
                # What followed from these follows no more.
                refused |= stays
                extra = set()
            elif gained:
                extra |= gained
            else:
                break
        left_added = set(self._given.added) - set(definition.added)
        outside = {i: definition.names[i] for i in left_added - set(self._given.names)}
        return Removal(
            definition=json.dumps(patch.raw, ensure_ascii=False),
            removed=tuple(sorted(asked - set(refused))),
            also_removed=tuple(sorted(extra)),
            refused=dict(sorted(refused.items())),
            removed_merges=patch.removed_merges,
            added_merges=patch.added_merges,
            renamed=outside | dict(patch.renamed),
            left_added=tuple(sorted(left_added)),
            newly_unreachable=tuple(sorted(lost)),
            pieces={**self._of_added(patch, outside), **remover.pieces(sorted(doomed | lost), patch)},
        )

    def _reason(self, token_id: int) -> str | None:
        """Why a token cannot be removed from any tokenizer."""
        given = self._given
        if token_id not in given.names and token_id not in given.added:
            return "there is no token with this id"
        if token_id in self._protected:
            return "a special token, which prompts and templates place by its id"
        if token_id == given.unknown_id:
            return "the token for what is unknown"
        if token_id in given.byte_ids:
            return "a single byte, without which some text could not be written"
        reason = added_refusal(given, token_id) if token_id in given.added else None
        if reason is None and token_id in given.names:
            reason = self._remover.refusal(token_id)
        return reason

    def _that_must_stay(self, remover: Remover, patch: Patch, doomed: set[int], lost: set[int]) -> dict[int, str]:
        """What cannot be removed in the light of all that is, with the reason."""
        found = dict.fromkeys(self._unwritable(patch, doomed), "its text could not be written without it")
        if self._longer is Longer.KEEP:
            users = Counter(needed for i in lost for needed in remover.needed_by(i) & doomed)
            found |= {i: f"tokens that are merged from it and have no other way: {n}" for i, n in users.items()}
        return found

    def _of_added(self, patch: Patch, ids: Collection[int]) -> dict[int, tuple[int, ...]]:
        """What is made now of added tokens that the model did not have."""
        texts = [str(self._given.added[i]["content"]) for i in ids]
        rows = patch.backend.encode_batch_fast(texts, add_special_tokens=False)
        return {i: tuple(row.ids) for i, row in zip(ids, rows, strict=True)}

    def _unwritable(self, patch: Patch, doomed: set[int]) -> set[int]:
        """Removed tokens whose own text holds something unknown now that was known."""
        ordered, unknown = sorted(doomed), self._given.unknown_id
        texts = self._given.backend.decode_batch([[i] for i in ordered], skip_special_tokens=False)
        before, after = (
            [unknown in row.ids for row in backend.encode_batch_fast(texts, add_special_tokens=False)]
            for backend in (self._given.backend, patch.backend)
        )
        return {i for i, was, is_now in zip(ordered, before, after, strict=True) if is_now and not was}


def _remover(definition: Definition) -> Remover:
    return _REMOVERS[definition.kind](definition)


def _changes(remover: Remover, patch: Patch, doomed: set[int], definition: Definition) -> tuple[set[int], set[int]]:
    """Which other ids can no longer be reached, and which can now and could not before; added tokens always can."""
    others = remover.affected(doomed) - set(definition.added)
    before, after = remover.reached(others, None), remover.reached(others, patch)
    return before - after, after - before
