"""The baseline: query tokens drawn at random, and guess the others from their neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from harness.constraints import Count
from harness.glitch.detectors.detector import OrderedDetector
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class RandomSample(OrderedDetector):
    """Queries random tokens; the score of a token is the share of its queried neighbours that fail."""

    name = "random"

    n_neighbours: Count = 16
    """Nearest rows by direction that a token is judged by. Ours."""

    def order(self, view: ModelView, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
        """All tokens in random order."""
        return rng.permutation(view.n)

    def scores(self, view: ModelView, answers: Mapping[int, bool]) -> Float[np.ndarray, " token"]:
        """Shares of failing neighbours, shrunk to the overall share."""
        # Composing a config imports this module, and is to stay fast.
        from harness.glitch.detectors._features import nearest_places, neighbour_shares

        if not answers:
            return np.full(view.n, np.nan)
        asked = view.place[np.fromiter(answers, dtype=np.int64, count=len(answers))]
        fails = np.fromiter(answers.values(), dtype=bool, count=len(answers))
        return neighbour_shares(nearest_places(view, self.n_neighbours), asked, fails)
