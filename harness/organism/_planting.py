"""Invented words that are tokens of their own, and how often training shows each.

A planted token is one more merge of two pieces that the tokenizer already has and that the corpus never puts side by
side: it is reachable from text, and it occurs exactly where it is planted. Which word gets which dose is drawn at
random, so what differs between the groups is the dose alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from harness.organism._tokenizer import Merge

SPACE = "Ġ"
MIN_LETTERS, MAX_LETTERS = 5, 8


@dataclass(frozen=True)
class DoseSplit:
    """How one token's exposures are divided over the three streams."""

    text: int
    repeats: int
    tasks: int

    @property
    def total(self) -> int:
        """The dose."""
        return self.text + self.repeats + self.tasks


def split_dose(dose: int) -> DoseSplit:
    """A quarter for repeats, rounded down to even (a repeated sequence shows a token twice), a quarter rounded down for
    tasks, the rest for text."""
    if dose < 0:
        raise ValueError(f"dose: got {dose}, allowed: 0 or more")
    repeats = dose // 4 // 2 * 2
    tasks = dose // 4
    return DoseSplit(text=dose - repeats - tasks, repeats=repeats, tasks=tasks)


@dataclass(frozen=True)
class PlantedWord:
    """A word to plant: `text` begins with a space; `merge` makes it one token."""

    text: str
    merge: Merge


def invent_words(base: Tokenizer, corpus: Sequence[str], n_words: int, seed: int) -> list[PlantedWord]:
    """`n_words` word-like strings of two existing pieces each, none of which occurs in `corpus`; `seed` varies them."""
    vocabulary = base.get_vocab()
    heads = sorted(token for token in vocabulary if _is_piece(token.removeprefix(SPACE)) and token.startswith(SPACE))
    tails = sorted(token for token in vocabulary if _is_piece(token) and not token.startswith(SPACE))
    everything = "\0".join(corpus).lower()
    rng = np.random.default_rng([seed, 1])
    words: dict[str, PlantedWord] = {}
    for _ in range(400 * n_words):
        if len(words) == n_words:
            return list(words.values())
        head, tail = heads[rng.integers(len(heads))], tails[rng.integers(len(tails))]
        word = head.removeprefix(SPACE) + tail
        plain = MIN_LETTERS <= len(word) <= MAX_LETTERS and _is_pronounceable(word)
        if not plain or word in words or word in everything:
            continue
        if base.encode(" " + word, add_special_tokens=False).tokens == [head, tail]:
            words[word] = PlantedWord(" " + word, (head, tail))
    raise ValueError(f"n_words: got {n_words}, allowed: at most {len(words)} with these pieces")


def assign_doses(ids: Sequence[int], doses: Sequence[int], seed: int) -> dict[int, tuple[int, ...]]:
    """dose -> ids: the planted ids dealt at random into equal groups; `seed` varies who gets what."""
    shuffled = np.random.default_rng([seed, 2]).permutation(np.asarray(ids))
    size = len(ids) // len(doses)
    return {dose: tuple(sorted(int(i) for i in shuffled[k * size : (k + 1) * size])) for k, dose in enumerate(doses)}


def _is_piece(text: str) -> bool:
    return 2 <= len(text) <= 4 and text.isascii() and text.isalpha() and text.islower()


def _is_pronounceable(word: str) -> bool:
    vowels = "".join("v" if letter in "aeiouy" else "c" for letter in word)
    return "v" in vowels and "cccc" not in vowels and "vvv" not in vowels
