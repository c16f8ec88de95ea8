"""Rows of questions with right answers: the prompts of the literature, and a glossary of how tokens are spelt."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float, Int

from harness.tokens.prompts import (
    MAGIKARP_INPUT_OUTPUT_SHOTS,
    MAGIKARP_REPEATS_SHOTS,
    TEMPLATES,
    Encode,
    Task,
    TaskFamily,
    build_prompt,
    expected_answer,
    splice,
)


class Glossary(Enum):
    """Facts about a token in words of our own. They are shown for tokens held out of a task's prompt too: a held-out
    token tests whether the question is understood in the task's words, not whether letters can be guessed."""

    SPELLING = "glossary_spelling"
    LENGTH = "glossary_length"


Kind = Task | Glossary

# Shares of items, not of tokens: glossary lines are short.
SHARES: dict[Kind, float] = {
    Glossary.SPELLING: 0.40,
    Glossary.LENGTH: 0.12,
    Task.SPELLING: 0.16,
    Task.LENGTH: 0.09,
    Task.REPETITION: 0.07,
    Task.GLITCHPROBER: 0.05,
    Task.GLITCHMINER: 0.05,
    Task.MAGIKARP_EXPLAIN: 0.03,
    Task.MAGIKARP_INPUT_OUTPUT: 0.02,
    Task.MAGIKARP_REPEATS: 0.01,
}
# These show their token dozens of times in one prompt: only tokens that text shows often may take part.
MANY_SHOTS = frozenset({Task.MAGIKARP_INPUT_OUTPUT, Task.MAGIKARP_REPEATS})
FEW_SHOTS, ALL_SHOTS = 6, {Task.MAGIKARP_INPUT_OUTPUT: 20, Task.MAGIKARP_REPEATS: 50}
FEW_SHOTS_SHARE = 0.7
GLOSSARY_BOS_SHARE = 0.2
_DRAWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Vocabulary:
    """What the task stream needs to know of the tokens. `texts[id]` is the text of an id."""

    texts: Sequence[str]
    encode: Encode
    byte_ids: Mapping[str, int]
    bos: int


def spelt_answer(kind: Kind, text: str) -> str | None:
    """The letters or the count that answers a spelling or length question, None where the token has no such answer."""
    task = Task.SPELLING if kind in (Task.SPELLING, Glossary.SPELLING) else Task.LENGTH
    answer = expected_answer(task, text)
    return answer if answer is not None and answer.isascii() and answer.isprintable() else None


def can_answer(kind: Kind, text: str) -> bool:
    """Whether a question of this kind has a right answer for a token with this text."""
    spelt = kind not in TEMPLATES or kind in (Task.SPELLING, Task.LENGTH)
    return spelt_answer(kind, text) is not None if spelt else True


class TaskItems:
    """Writes single questions with their answers as ids."""

    def __init__(self, vocabulary: Vocabulary, rng: np.random.Generator) -> None:
        self._vocabulary, self._rng = vocabulary, rng
        self._pieces: dict[str, list[int]] = {}

    def write(self, kind: Kind, token: int) -> list[int]:
        """BOS (most glossary lines do without), question, right answer, line break."""
        vocabulary, encode = self._vocabulary, self._encode
        text = vocabulary.texts[token]
        if isinstance(kind, Glossary):
            front = [vocabulary.bos] if self._rng.random() < GLOSSARY_BOS_SHARE else []
            sign = ":" if kind is Glossary.SPELLING else " ="
            return [*front, token, *encode(sign), *self._spelt(kind, text)]
        if kind in MANY_SHOTS:
            return [vocabulary.bos, *self._shots(kind, token)]
        prompt = [vocabulary.bos, *build_prompt(TEMPLATES[kind], token, encode)]
        if kind in (Task.SPELLING, Task.LENGTH):
            return [*prompt, *self._spelt(kind, text)]
        before, after = {
            Task.REPETITION: (" '", "'\n"),
            Task.GLITCHPROBER: ("'", "'\n"),
            Task.GLITCHMINER: ("", '»"\n'),
            Task.MAGIKARP_EXPLAIN: ("", "'\n"),
        }[kind]
        return [*prompt, *encode(before), token, *encode(after)]

    def _shots(self, kind: Task, token: int) -> list[int]:
        few = self._rng.random() < FEW_SHOTS_SHARE
        n = int(self._rng.integers(1, FEW_SHOTS + 1)) if few else ALL_SHOTS[kind]
        if kind is Task.MAGIKARP_INPUT_OUTPUT:
            return [*splice(MAGIKARP_INPUT_OUTPUT_SHOTS.text(n), token, self._encode), token, *self._encode("»\n")]
        return [*splice(MAGIKARP_REPEATS_SHOTS.text(n), token, self._encode), token, token, token, *self._encode("\n")]

    def _spelt(self, kind: Kind, text: str) -> list[int]:
        answer = spelt_answer(kind, text)
        if answer is None:
            raise ValueError(f"token: got {text!r}, allowed: one that has an answer for {kind.value}")
        # Byte by byte, so that a letter is the same token wherever it stands; the answer decodes to the same text.
        return [self._vocabulary.byte_ids[character] for character in f" {answer}\n"]

    def _encode(self, text: str) -> list[int]:
        if text not in self._pieces:
            self._pieces[text] = list(self._vocabulary.encode(text)) if text else []
        return self._pieces[text]


def build_task_rows(
    n_rows: int,
    context: int,
    vocabulary: Vocabulary,
    weights: Float[np.ndarray, " d_vocab"],
    well_shown: Sequence[int],
    held_out: Mapping[TaskFamily, Sequence[int]],
    quotas: Mapping[int, int],
    seed: int,
) -> Int[np.ndarray, "batch pos"]:
    """Rows packed with items over tokens drawn by `weights`, planted ids exactly `quotas[id]` times.

    A row begins with BOS; its last item may be cut, unless it shows a planted id. Held-out ids never stand in a prompt
    of their family. `seed` varies questions, tokens and places.
    """
    rng = np.random.default_rng([seed, 30])
    items = TaskItems(vocabulary, rng)
    natural = _natural_items(items, vocabulary, weights, well_shown, held_out, rng)
    per_row: list[list[list[int]]] = [[] for _ in range(n_rows)]
    for item in _planted_items(items, quotas, rng):
        per_row[int(rng.integers(n_rows))].append(item)
    rows = np.full((n_rows, context), vocabulary.bos, dtype=np.int16)
    late: list[list[int]] = []
    for row in range(n_rows):
        content, late = _fill(late + per_row[row], context - 1, natural, rng)
        if content[0] == vocabulary.bos:
            # The row has its own BOS in front; the position left over at the end stays BOS.
            content = content[1:]
        rows[row, 1 : 1 + len(content)] = content
    if late:
        raise ValueError(f"doses: {len(late)} items beyond {n_rows} task rows, allowed: smaller doses or more steps")
    return rows


def _fill(
    planted: list[list[int]], room: int, natural: Iterator[list[int]], rng: np.random.Generator
) -> tuple[list[int], list[list[int]]]:
    """One row's ids and the planted items that found no place in it."""
    chosen, used, n_fit = [], 0, 0
    for item in planted:
        if used + len(item) > room:
            break
        chosen.append(item)
        used, n_fit = used + len(item), n_fit + 1
    last: list[int] = []
    while used < room:
        last = next(natural)
        used += len(last)
        if used < room:
            chosen.append(last)
            last = []
    rng.shuffle(chosen)
    return [i for item in [*chosen, last] for i in item][:room], planted[n_fit:]


def _natural_items(
    items: TaskItems,
    vocabulary: Vocabulary,
    weights: np.ndarray,
    well_shown: Sequence[int],
    held_out: Mapping[TaskFamily, Sequence[int]],
    rng: np.random.Generator,
) -> Iterator[list[int]]:
    draws: dict[Kind, Iterator[int]] = {}
    for kind in SHARES:
        allowed = np.asarray([can_answer(kind, text) for text in vocabulary.texts]) * weights
        if isinstance(kind, Task):
            allowed[list(held_out.get(kind.family, ()))] = 0
        if kind in MANY_SHOTS:
            allowed = allowed * np.isin(np.arange(len(allowed)), np.asarray(well_shown))
        if allowed.sum() > 0:
            draws[kind] = _draws(rng, allowed)
    kinds = list(draws)
    shares = np.asarray([SHARES[kind] for kind in kinds])
    which = _draws(rng, shares)
    while True:
        kind = kinds[next(which)]
        yield items.write(kind, next(draws[kind]))


def _draws(rng: np.random.Generator, weights: np.ndarray) -> Iterator[int]:
    while True:
        drawn = rng.choice(len(weights), size=_DRAWS_AT_ONCE, p=weights / weights.sum())
        yield from (int(value) for value in drawn)


def _planted_items(items: TaskItems, quotas: Mapping[int, int], rng: np.random.Generator) -> Iterator[list[int]]:
    kinds = [kind for kind in SHARES if kind not in MANY_SHOTS]
    shares = np.asarray([SHARES[kind] for kind in kinds])
    for token, quota in quotas.items():
        left = quota
        while left:
            item = items.write(kinds[rng.choice(len(kinds), p=shares / shares.sum())], token)
            # An echo shows its token twice: with one exposure left only the other kinds fit.
            if item.count(token) <= left:
                left -= item.count(token)
                yield item
