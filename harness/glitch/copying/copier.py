"""The copying test as one wording among others: said again where its sequence recurs, in most of a few sequences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.glitch.copying.draws import BLOCK_PAIRS, Material, draw_round
from harness.glitch.copying.reading import CopyReader
from harness.models.answers.causal_model import CausalModel

SEQ_LEN = 24
"""Tokens of a half."""
N_OWN = 12
"""Of these, tokens under study; the others are well-known companions."""
N_APPEARANCES = 3
"""How often a token is asked, each time among others."""
_SHARE_OF_FAILURES = 4
"""Tokens that failed elsewhere take one in so many of the places: among their like they'd be in other company."""


@dataclass(frozen=True, eq=False)
class Copies:
    """What came of asking some tokens."""

    ids: Int[np.ndarray, " token"]
    passed: Bool[np.ndarray, " token"]
    """The only likeliest in more than half of its appearances."""
    margin: Float[np.ndarray, " token"]
    """Logits by which it is above the best other token; mean over its appearances."""
    n_positions: int


class Copier:
    """Asks tokens of one model to be copied."""

    def __init__(self, reader: CopyReader, material: Material, seed: int) -> None:
        self._reader, self.material, self._seed = reader, material, seed

    def on(self, model: CausalModel) -> "Copier":
        """The same draws for another model of this vocabulary, or for this one changed."""
        return Copier(self._reader.on(model), self.material, self._seed)

    @property
    def askable(self) -> frozenset[int]:
        """Ids that may stand inside a sequence: those with a job (BOS, EOS, ...) would do it."""
        return frozenset(self.material.bystanders.tolist())

    @property
    def most_positions(self) -> int:
        """Token positions of asking one token by itself, in a pair of halves each time; asked together, tokens share
        theirs."""
        return N_APPEARANCES * self._reader.n_positions_of(2)

    def ask(self, ids: Sequence[int], stream: int, failed_before: bool) -> Copies:
        """Every token `N_APPEARANCES` times; `stream` tells these draws from others of the run, for the same ids.

        `failed_before`: these are tokens that failed another wording, so that fewer of them share a half.
        """
        n_asked = N_OWN // _SHARE_OF_FAILURES if failed_before else N_OWN
        size = 2 * n_asked * BLOCK_PAIRS
        ids = [int(i) for i in ids]
        material = self.material.without(ids)
        found, n_positions = [], 0
        for start in range(0, len(ids), size):
            block = ids[start : start + size]
            rngs = (np.random.default_rng([self._seed, stream, start, one]) for one in range(N_APPEARANCES))
            rounds = [draw_round(material, block, n_asked, N_OWN, SEQ_LEN, rng) for rng in rngs]
            found.append(self._reader.read_rounds(rounds))
            n_positions += sum(map(self._reader.n_positions, rounds))
        if not found:
            return Copies(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool), np.zeros(0), 0)
        joined = {name: np.concatenate([one[name] for one in found]) for name in ("ids", "rank", "margin")}
        missed = (joined["rank"] > 1).sum(axis=1)
        passed: Bool[np.ndarray, " token"] = 2 * missed < N_APPEARANCES
        return Copies(joined["ids"], passed, joined["margin"].mean(axis=1, dtype=np.float64), n_positions)
