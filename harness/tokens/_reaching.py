"""Whether any text leads to a token: it is looked for alone, beside characters that survive, and beside other tokens.

A token need not stand for its text at the start of one: a tokenizer puts a space there, has other tokens inside words
than at their beginnings (`##ing`) and others at their ends (`the</w>`), or merges a word's first letters with what
stands before. A token that is found in the ids of any text is reachable; one that is found in none of the hundreds of
texts tried for it is taken not to be.
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from harness.tokens._encoder import AuditableTokenizer

# What stands beside a token, the first that survive the tokenizer; a vocabulary without guillemets has others.
_FIRST = "\u00ab\u00bb"
_MOST_CHARACTERS = 64
_MOST_NEIGHBOURS = 128
# Ids looked at for characters and neighbours, evenly over the vocabulary.
_LOOKED_AT = 4_096
# Texts encoded in search of tokens; the frames are tried in order until then.
_MOST_TEXTS = 1_500_000
# Marks that a decoder may leave in a text.
_MARKS = (("\u2581", " "), ("</w>", ""))


class Reach:
    """One tokenizer, and the characters that survive it."""

    def __init__(self, tokenizer: AuditableTokenizer) -> None:
        self._tokenizer = tokenizer

    def own_ids(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """What each text encodes to; behind a character where the start of a text is marked with a space."""
        if not texts:
            return []
        alone = [tuple(row) for row in self._tokenizer.encode_batch(texts)]
        if not self.marks_the_start or not self.characters:
            return alone
        before = self.characters[0]
        (ids,) = self._tokenizer.encode_batch([before])
        behind = self._tokenizer.encode_batch([before + text for text in texts])
        return [
            tuple(row[len(ids) :]) if row[: len(ids)] == ids and own else own
            for row, own in zip(behind, alone, strict=True)
        ]

    def reached(self, bodies: Mapping[int, Sequence[str]]) -> set[int]:
        """Which of these ids some text leads to; `bodies` are the texts that may stand for each."""
        lost, seen, n_texts = set(bodies), set[int](), 0
        for left, right in self._frames():
            texts = [left + body + right for i in sorted(lost) for body in bodies[i]]
            n_texts += len(texts)
            if not texts or n_texts > _MOST_TEXTS:
                break
            for row in self._tokenizer.encode_batch(texts):
                seen.update(row)
            lost -= seen
        return set(bodies) - lost

    @cached_property
    def marks_the_start(self) -> bool:
        """Whether a text's first token carries a space that the text does not have."""
        texts = self.characters[:2]
        if not texts:
            return False
        letter = texts[-1]
        ((first, *_),) = self._tokenizer.encode_batch([letter])
        return any(spelling.startswith((" ", "\u2581", "\u0120")) for spelling in self._tokenizer.spellings(first))

    @cached_property
    def characters(self) -> list[str]:
        """Visible characters that come back as they were, or are no unknown token at least."""
        candidates = [*_FIRST, *string.ascii_letters, *string.digits, *string.punctuation, *self._single_characters]
        candidates = list(dict.fromkeys(candidates))
        rows = self._tokenizer.encode_batch(candidates)
        known = [
            (text, row)
            for text, row in zip(candidates, rows, strict=True)
            if row and not self._tokenizer.special_ids & set(row)
        ]
        back = self._tokenizer.decode_batch([row for _, row in known])
        same = [text for (text, _), said in zip(known, back, strict=True) if bare(said) == text]
        return (same or [text for text, _ in known])[:_MOST_CHARACTERS]

    def _frames(self) -> Iterator[tuple[str, str]]:
        """What stands before and behind, the likeliest first."""
        yield from (("", ""), (" ", ""), ("\n", ""))
        characters = self.characters
        for one in characters[:4]:
            yield from ((one, ""), ("", one), (one, one), (one + " ", ""), ("", " " + one), (one + " ", one))
        for one in characters[4:]:
            yield from ((one, ""), ("", one), (one, one), (one + " ", one))
        for one in self._neighbours:
            yield from ((one, ""), ("", one))

    @cached_property
    def _looked_at(self) -> list[str]:
        ids = sorted(self._tokenizer.known_ids - self._tokenizer.special_ids)
        some = ids[:: max(1, len(ids) // _LOOKED_AT)]
        return [bare(self._tokenizer.spellings(i)[-1]) for i in some]

    @cached_property
    def _single_characters(self) -> list[str]:
        return [text for text in self._looked_at if len(text) == 1 and text.isprintable() and not text.isspace()]

    @cached_property
    def _neighbours(self) -> list[str]:
        words = [text for text in self._looked_at if len(text) > 1 and text.isprintable()]
        return words[:: max(1, len(words) // _MOST_NEIGHBOURS)]


def bare(text: str) -> str:
    """Without marks of words and without the spaces around it."""
    for mark, meant in _MARKS:
        text = text.replace(mark, meant)
    return text.strip()
