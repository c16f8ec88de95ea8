"""Means and ratios of values that share tokens one way and draws the other, with percentile bootstrap intervals.

Every token is asked in several draws and every draw asks all of them, in sequences that several tokens stand in: tokens
of one draw move together. Tokens and draws are resampled each by itself and crossed (Owen 2007, "The pigeonhole
bootstrap", Annals of Applied Statistics 1: 386-411), which errs, if anything, on the wide side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from harness.measure.bootstrap import N_RESAMPLES
from harness.measure.intervals import CONFIDENCE, Interval, Method


@dataclass(frozen=True, eq=False)
class Pigeonhole:
    """How often each resample holds each token and each draw."""

    tokens: Float[np.ndarray, "resample token"]
    draws: Float[np.ndarray, "resample draw"]

    @classmethod
    def of(cls, n_tokens: int, n_draws: int, seed: int) -> "Pigeonhole":
        """Resamples of so many. Raises `ValueError` for none of either."""
        if min(n_tokens, n_draws) < 1:
            raise ValueError(f"{n_tokens} tokens in {n_draws} draws")
        rng = np.random.default_rng(seed)
        tokens, draws = (
            rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES).astype(np.float64) for n in (n_tokens, n_draws)
        )
        return cls(tokens, draws)

    def mean(self, values: Float[np.ndarray, "token draw"]) -> Interval:
        """Mean over tokens of each one's mean over draws; no ends for a single token.

        NaN: that draw did not ask that token; a token that none asked is left out. A single column is what was measured
        without draws: tokens alone are resampled. Raises `ValueError` where nothing was asked.
        """
        return self.ratio(values, np.where(np.isnan(values), np.nan, 1.0))

    def ratio(
        self, numerator: Float[np.ndarray, "token draw"], denominator: Float[np.ndarray, "token draw"]
    ) -> Interval:
        """Sum over tokens of `numerator` over that of `denominator`, each token's mean over draws; see `mean`.

        Ends mean something only where the denominator's sum is surely not 0. Raises `ValueError` for a sum of 0.
        """
        asked = ~np.isnan(numerator).all(axis=1)
        above, below = numerator[asked].astype(np.float64), denominator[asked].astype(np.float64)
        n = int(asked.sum())
        total = float(np.nanmean(below, axis=1).sum()) if n else 0.0
        if total == 0:
            raise ValueError("nothing was asked, or a ratio to 0")
        found = float(np.nanmean(above, axis=1).sum()) / total
        if n == 1:
            return Interval(found, None, None, 1, Method.NONE)
        tokens = self.tokens[:, asked]
        sums = [(tokens * self._over_draws(part)).sum(axis=1) for part in (above, below)]
        with np.errstate(invalid="ignore", divide="ignore"):
            resampled = sums[0] / sums[1]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(resampled, (tail, 1 - tail))
        return Interval(found, float(low), float(high), n, Method.PIGEONHOLE)

    def _over_draws(self, values: Float[np.ndarray, "token draw"]) -> Float[np.ndarray, "resample token"]:
        """Each token's mean over the draws of a resample; 0 where none of them asked it."""
        draws = self.draws if values.shape[1] > 1 else np.ones((len(self.draws), 1))
        asked = ~np.isnan(values)
        total, count = draws @ np.where(asked, values, 0.0).T, draws @ asked.T.astype(np.float64)
        found: np.ndarray = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
        return found


def per_token(values: Float[np.ndarray, "*more token draw"]) -> Float[np.ndarray, "*more token"]:
    """Each token's mean over the draws that asked it; NaN where none did."""
    asked = ~np.isnan(values)
    count = asked.sum(axis=-1)
    total = np.where(asked, values, 0.0).sum(axis=-1)
    found: np.ndarray = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return found
