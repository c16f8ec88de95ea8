"""Rows of running text, with planted words standing in for ordinary ones as a renamed identifier would."""

import keyword
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer

from harness.organism.corpus import Corpus

_WORD = re.compile(r"(?<= )[A-Za-z_]{4,16}(?![A-Za-z0-9_])")
MAX_WORDS_PER_ROW = 4
_ATTEMPTS_PER_WORD = 3
# Renaming makes text longer where the word also stands without a space; it is cut to length again, never padded.
_SPARE_TOKENS = 64


@dataclass(frozen=True)
class _EncodedFile:
    text: str
    ids: Int[np.ndarray, " pos"]
    starts: Int[np.ndarray, " pos"]

    def excerpt(self, first: int, n_tokens: int) -> str:
        last = first + n_tokens + _SPARE_TOKENS
        end = self.starts[last] if last < len(self.ids) else len(self.text)
        return self.text[self.starts[first] : end]


@dataclass(frozen=True)
class _Segment:
    """`n_tokens` of one file, from `first` on, standing at `at` in its row."""

    file: int
    first: int
    n_tokens: int
    at: int


def build_text_rows(
    corpus: Corpus,
    tokenizer: Tokenizer,
    n_rows: int,
    context: int,
    planted: Mapping[int, str],
    quotas: Mapping[int, int],
    seed: int,
) -> Int[np.ndarray, "batch pos"]:
    """`n_rows` rows of the model's corpus in which each planted id occurs exactly `quotas[id]` times.

    Every row, and every file in it, begins with BOS.

    `planted` maps ids to their text (with the leading space). `seed` varies the order of files, where rows are cut and
    which words are renamed. Raises ValueError when the rows have no room for the quotas.
    """
    files = encode_files(corpus, tokenizer)
    rng = np.random.default_rng([seed, 10])
    bos = tokenizer.get_vocab_size() - 1
    once = [file.name in corpus.shown_once for file in corpus.model]
    rows, segments = _cut_rows(files, once, n_rows, context, bos, rng)
    planter = _Planter(tokenizer, files, dict(planted), dict(quotas), rng)
    for row in rng.permutation(n_rows):
        if not planter.remaining:
            break
        planter.plant(rows[row], max(segments[row], key=lambda segment: segment.n_tokens))
    if planter.remaining:
        short = sum(planter.remaining.values())
        raise ValueError(f"doses: {short} exposures beyond {n_rows} text rows, allowed: smaller doses or more steps")
    return rows


def encode_files(corpus: Corpus, tokenizer: Tokenizer) -> list[_EncodedFile]:
    """The model's corpus as ids, file by file."""
    encodings = tokenizer.encode_batch([file.text for file in corpus.model], add_special_tokens=False)
    return [
        _EncodedFile(
            file.text,
            np.asarray(encoding.ids, dtype=np.int16),
            np.asarray([start for start, _ in encoding.offsets], dtype=np.int64),
        )
        for file, encoding in zip(corpus.model, encodings, strict=True)
    ]


def _cut_rows(
    files: Sequence[_EncodedFile],
    once: Sequence[bool],
    n_rows: int,
    context: int,
    bos: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[list[_Segment]]]:
    rows = np.full((n_rows, context), bos, dtype=np.int16)
    segments: list[list[_Segment]] = [[] for _ in range(n_rows)]
    row, at, n_pass = 0, 0, 0
    while row < n_rows:
        for index in rng.permutation(len(files)):
            if n_pass and once[index]:
                continue
            ids, first = files[index].ids, 0
            while first < len(ids) and row < n_rows:
                n_tokens = min(len(ids) - first, context - at - 1)
                if n_tokens > 0:
                    rows[row, at + 1 : at + 1 + n_tokens] = ids[first : first + n_tokens]
                    segments[row].append(_Segment(int(index), first, n_tokens, at + 1))
                first, at = first + n_tokens, at + 1 + n_tokens
                if at >= context:
                    row, at = row + 1, 0
        n_pass += 1
    return rows, segments


class _Planter:
    """Renames words row by row until every quota is used up, never beyond it."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        files: Sequence[_EncodedFile],
        planted: dict[int, str],
        quotas: dict[int, int],
        rng: np.random.Generator,
    ) -> None:
        self._tokenizer, self._files, self._planted, self._rng = tokenizer, files, planted, rng
        self.remaining = {i: quota for i, quota in quotas.items() if quota}

    def plant(self, row: np.ndarray, segment: _Segment) -> None:
        """Rename up to `MAX_WORDS_PER_ROW` words of one segment, in place."""
        text = self._files[segment.file].excerpt(segment.first, segment.n_tokens)
        used: dict[int, int] = {}
        for _ in range(MAX_WORDS_PER_ROW):
            fresh = [i for i in self.remaining if i not in used]
            if not fresh:
                return
            weights = np.asarray([self.remaining[i] for i in fresh], dtype=float)
            token = fresh[self._rng.choice(len(fresh), p=weights / weights.sum())]
            for word in self._choose_words(text):
                renamed = re.sub(rf"(?<![A-Za-z0-9_]){word}(?![A-Za-z0-9_])", self._planted[token].strip(), text)
                ids = self._tokenizer.encode(renamed, add_special_tokens=False).ids[: segment.n_tokens]
                # A word cut off because one renaming lengthened the text can reappear with the next: it stays counted.
                counts = {i: ids.count(i) for i in (*used, token)}
                if len(ids) == segment.n_tokens and counts[token] and self._fits(counts, used):
                    self._spend(counts, used)
                    row[segment.at : segment.at + segment.n_tokens] = ids
                    text, used = renamed, counts
                    break

    def _choose_words(self, text: str) -> list[str]:
        planted = {word.strip() for word in self._planted.values()}
        found = Counter(w for w in _WORD.findall(text) if not keyword.iskeyword(w) and w not in planted)
        if not found:
            return []
        words = sorted(found)
        # Words that recur are the ones a reader would call an identifier of this document.
        weights = np.asarray([found[word] for word in words], dtype=float) ** 2
        n = min(_ATTEMPTS_PER_WORD, len(words))
        return [words[k] for k in self._rng.choice(len(words), size=n, replace=False, p=weights / weights.sum())]

    def _fits(self, counts: dict[int, int], used: dict[int, int]) -> bool:
        return all(count - used.get(i, 0) <= self.remaining.get(i, 0) for i, count in counts.items())

    def _spend(self, counts: dict[int, int], used: dict[int, int]) -> None:
        for i, count in counts.items():
            left = self.remaining.get(i, 0) - (count - used.get(i, 0))
            self.remaining[i] = left
            if not left:
                del self.remaining[i]
