"""P(glitch) from a handful of verdicts: a threshold on a weight indicator, both unknown, averaged over what fits."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp

from harness.glitch.detectors._logistic_average import average_curves

_PLACES = np.linspace(0.0, 3.5, 36)
"""On the scale of a normal distribution: from half of the vocabulary being glitch tokens to one in 4,000."""
_STEEPNESSES = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])


@dataclass(frozen=True, eq=False)
class ThresholdModel:
    """`columns`: rank-normalised indicators, low for under-trained tokens."""

    columns: Float[np.ndarray, "token indicator"]

    def learn(
        self, queried: Int[np.ndarray, " queried"], fails: Bool[np.ndarray, " queried"]
    ) -> Float[np.ndarray, " token"]:
        """P(glitch) of every token: over the indicators, each weighed by its evidence."""
        curves = [average_curves(-column, -column[queried], fails, _PLACES, _STEEPNESSES) for column in self.columns.T]
        evidence = np.array([found for found, _ in curves])
        weights = np.exp(evidence - logsumexp(evidence))
        found: np.ndarray = sum(weight * curve for weight, (_, curve) in zip(weights, curves, strict=True))
        return found
