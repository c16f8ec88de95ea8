"""Choosing the next token at random from a cut-off distribution, and keeping a model from repeating itself."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.models.answers.decoding import Choose


@dataclass(frozen=True)
class Cutoff:
    """Which tokens may be drawn: the `top_k` likeliest, of those the fewest that reach `top_p`, at a temperature."""

    top_k: int = 50
    top_p: float = 0.95
    temperature: float = 1.0


class Sampled:
    """Draws each row's next token; a `Choose`.

    Every row has its own stream of random numbers, seeded by `seeds[row]`: its answer does not depend on which rows
    it shares a batch with.
    """

    def __init__(self, cutoff: Cutoff, seeds: Sequence[Sequence[int]], n_steps: int) -> None:
        self._cutoff = cutoff
        draws = [np.random.default_rng(list(seed)).random(n_steps) for seed in seeds]
        self._draws: Float[np.ndarray, "prompt step"] = np.asarray(draws, dtype=np.float64).reshape(-1, n_steps)

    def __call__(self, rows: Tensor, logits: Tensor, step: int) -> Tensor:
        """One token per row."""
        probability, order = cut_off(logits, self._cutoff)
        draw = torch.from_numpy(self._draws[rows.cpu().numpy(), step]).to(logits.device, probability.dtype)
        reached = probability.cumsum(dim=-1) > draw[:, None]
        # Rounding can leave the sum a hair under the largest draws: they get the last token that may be drawn.
        n_allowed = (probability > 0).sum(dim=-1) - 1
        place = torch.where(reached.any(dim=-1), reached.int().argmax(dim=-1), n_allowed)
        return order.gather(1, place[:, None])[:, 0]


def cut_off(
    logits: Float[Tensor, "batch d_vocab"], cutoff: Cutoff
) -> tuple[Float[Tensor, "batch kept"], Int[Tensor, "batch kept"]]:
    """Probabilities left by a cut-off, from the likeliest on, and the ids they belong to.

    In the order of transformers' `generate`: temperature, then the `top_k` likeliest, then of those the smallest number
    whose probabilities reach `top_p` (the one that crosses it included); the rest is zero, the sum one.
    """
    k = min(cutoff.top_k, logits.shape[-1]) if cutoff.top_k > 0 else logits.shape[-1]
    best, order = (logits.float() / cutoff.temperature).topk(k, dim=-1)
    probability = best.softmax(dim=-1)
    before = probability.cumsum(dim=-1) - probability
    probability = probability.masked_fill(before >= cutoff.top_p, 0.0)
    return probability / probability.sum(dim=-1, keepdim=True), order


class NoRepeatedNgrams:
    """Forbids a token that would complete an n-gram that occurred before, then lets `inner` choose; a `Choose`.

    `contexts[row]` are ids that count as occurring before the answer: empty to look at the answer alone, the prompt
    to reproduce `no_repeat_ngram_size` of transformers' `generate`, which counts it.
    """

    def __init__(self, inner: Choose, n: int, contexts: Sequence[Sequence[int]]) -> None:
        self._inner, self._n = inner, n
        self._history = [list(context) for context in contexts]
        self._following: list[dict[tuple[int, ...], set[int]]] = [_followers(context, n) for context in contexts]
        self._start = [len(context) for context in contexts]

    def __call__(self, rows: Tensor, logits: Tensor, step: int) -> Tensor:
        """One token per row, none that is banned."""
        numbers = rows.tolist()
        if step == 0:
            for number in numbers:
                del self._history[number][self._start[number] :]
        logits = logits.clone()
        for place, number in enumerate(numbers):
            banned = self._banned(number)
            if banned:
                logits[place, sorted(banned)] = -math.inf
        tokens = self._inner(rows, logits, step)
        for number, token in zip(numbers, tokens.tolist(), strict=True):
            self._history[number].append(token)
        return tokens

    def _banned(self, number: int) -> set[int]:
        history = self._history[number]
        if len(history) < self._n - 1:
            return set()
        last = tuple(history[len(history) - self._n + 1 :])
        recent = history[max(0, self._start[number] - self._n + 1) :]
        return self._following[number].get(last, set()) | _followers(recent, self._n).get(last, set())


class EachItsOwn:
    """Lets groups of rows be chosen for in ways of their own, as if each group were decoded alone; a `Choose`.

    `groups`: how many prompts, and their `Choose`, in the order of the prompts; each counts its own from 0.
    """

    def __init__(self, groups: Sequence[tuple[int, Choose]]) -> None:
        self._chooses = [choose for _, choose in groups]
        self._ends = torch.tensor([n for n, _ in groups]).cumsum(0)

    def __call__(self, rows: Tensor, logits: Tensor, step: int) -> Tensor:
        """One token per row."""
        ends = self._ends.to(rows.device)
        group = torch.searchsorted(ends, rows, right=True)
        tokens = torch.empty_like(rows)
        for number, choose in enumerate(self._chooses):
            inside = group == number
            if inside.any():
                start = ends[number - 1] if number else 0
                tokens[inside] = choose(rows[inside] - start, logits[inside], step)
        return tokens


def _followers(ids: Sequence[int], n: int) -> dict[tuple[int, ...], set[int]]:
    found: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for start in range(len(ids) - n + 1):
        found[tuple(ids[start : start + n - 1])].add(ids[start + n - 1])
    return found
