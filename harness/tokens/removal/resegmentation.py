"""What running text pays for a patched tokenizer: more tokens, and words that are cut anew."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from harness.measure.bootstrap import bootstrap_ratio
from harness.measure.intervals import ClusterSums, Interval, wilson_ratio
from harness.tokens.removal.removal import Removal

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, eq=False)
class TextCounts:
    """What was counted in each document, which is the unit of every interval."""

    words: Int[np.ndarray, " document"]
    """Stretches without white space."""
    n_bytes: Int[np.ndarray, " document"]
    """In UTF-8."""
    tokens_before: Int[np.ndarray, " document"]
    tokens_after: Int[np.ndarray, " document"]
    words_changed: Int[np.ndarray, " document"]
    """Words of which a token is another than before."""
    removed: Int[np.ndarray, " document"]
    """Tokens, as the text was cut before, that were removed."""
    unreachable: Int[np.ndarray, " document"]
    """Other tokens, as the text was cut before, that no text leads to any more."""


@dataclass(frozen=True)
class Resegmentation:
    """The cost on running text, over documents."""

    tokens_per_word: Interval
    """Before."""
    tokens_per_word_change: Interval
    """After over before, less 1."""
    words_changed: Interval
    """Share of all words."""
    bytes_per_token: Interval
    """Before."""
    bytes_per_token_after: Interval
    removed: Interval
    """Share of the tokens before that were removed ones."""
    unreachable: Interval
    """Share of the tokens before that others became unreachable with them."""


def count_text(before: str, removal: Removal, documents: Sequence[str]) -> TextCounts:
    """Cut documents with the tokenizer.json `before` and with the patched one made of it."""
    counts = _count(Backend.from_str(before), Backend.from_str(removal.definition), removal, documents)
    columns = np.array(list(counts), dtype=np.int64).reshape(-1, 7).T
    return TextCounts(*columns)


def resegmentation(counts: TextCounts, seed: int) -> Resegmentation:
    """Ratios of sums over documents with their intervals; `seed` draws the resamples.

    Raises `ValueError` for documents without a word.
    """
    change = (counts.tokens_after - counts.tokens_before).astype(np.float64)
    words, before, after = (
        column.astype(np.float64) for column in (counts.words, counts.tokens_before, counts.tokens_after)
    )
    n_bytes = counts.n_bytes.astype(np.float64)
    return Resegmentation(
        tokens_per_word=bootstrap_ratio(before, words, seed),
        tokens_per_word_change=bootstrap_ratio(change, before, seed),
        words_changed=wilson_ratio(ClusterSums.of(counts.words_changed, counts.words)),
        bytes_per_token=bootstrap_ratio(n_bytes, before, seed),
        bytes_per_token_after=bootstrap_ratio(n_bytes, after, seed),
        removed=wilson_ratio(ClusterSums.of(counts.removed, counts.tokens_before)),
        unreachable=wilson_ratio(ClusterSums.of(counts.unreachable, counts.tokens_before)),
    )


def _count(
    before: Backend, after: Backend, removal: Removal, documents: Sequence[str]
) -> Iterator[tuple[int, int, int, int, int, int, int]]:
    olds = before.encode_batch(list(documents), add_special_tokens=False)
    news = after.encode_batch(list(documents), add_special_tokens=False)
    for text, old, new in zip(documents, olds, news, strict=True):
        spans = [match.span() for match in _WORD.finditer(text)]
        pairs = zip(_by_word(old, text, spans), _by_word(new, text, spans), strict=True)
        changed = sum(a != b for a, b in pairs)
        removed, unreachable = (_occurrences(old.ids, ids) for ids in (removal.removed, removal.newly_unreachable))
        yield len(spans), len(text.encode()), len(old.ids), len(new.ids), changed, removed, unreachable


def _by_word(encoding: Encoding, text: str, spans: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The tokens of each word; one of several words belongs to the last, one of white space to none."""
    word_at = np.full(len(text) + 1, -1, dtype=np.int64)
    for word, (start, end) in enumerate(spans):
        word_at[start:end] = word
    found: list[list[int]] = [[] for _ in spans]
    for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
        word = int(word_at[start:end].max()) if end > start else -1
        if word >= 0:
            found[word].append(token)
    return found


def _occurrences(row: Sequence[int], ids: Collection[int]) -> int:
    wanted = frozenset(ids)
    return sum(i in wanted for i in row)
