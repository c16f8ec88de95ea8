"""How long something lasts where what outlasts the observation is only known to have lasted so long."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import CensoredData, ecdf

from harness.measure.intervals import CONFIDENCE, Interval, Method


@dataclass(frozen=True, eq=False)
class Survival:
    """Share that lasts longer than each time at which something ended or was last seen (Kaplan & Meier 1958)."""

    time: Float[np.ndarray, " time"]
    """Ascending; before the first the share is 1."""
    share: Float[np.ndarray, " time"]
    low: Float[np.ndarray, " time"]
    high: Float[np.ndarray, " time"]
    """Ends of pointwise 95 % intervals (log-log transform of Greenwood's variance); NaN where the share is 0 or 1."""
    n: int

    @property
    def median(self) -> Interval | None:
        """The first time that half do not outlast, with the times at which its band crosses a half.

        An end is None where the band does not cross (Brookmeyer & Crowley 1982). None where more than half outlast
        the observation.
        """
        middle = _first_at_half(self.time, self.share)
        if middle is None:
            return None
        low, high = _first_at_half(self.time, self.low), _first_at_half(self.time, self.high)
        return Interval(middle, low, high, self.n, Method.KAPLAN_MEIER)


def survival(lasted: Int[np.ndarray, " item"], outlasts: Bool[np.ndarray, " item"]) -> Survival:
    """`lasted`: how long each was seen to last; `outlasts`: it had not ended then. Raises `ValueError` for no items."""
    if len(lasted) == 0:
        raise ValueError("survival needs at least one item")
    times = lasted.astype(np.float64)
    found = ecdf(CensoredData(uncensored=times[~outlasts], right=times[outlasts])).sf
    share = np.asarray(found.probabilities, dtype=np.float64)
    low, high = (np.full(len(share), np.nan) for _ in range(2))
    if len(lasted) > 1:
        # scipy warns where the share is 0 or 1, whose ends are left out below.
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            band = found.confidence_interval(CONFIDENCE, method="log-log")
        inside = (share > 0) & (share < 1)
        low[inside], high[inside] = band.low.probabilities[inside], band.high.probabilities[inside]
    return Survival(np.asarray(found.quantiles, dtype=np.float64), share, low, high, len(lasted))


def _first_at_half(time: np.ndarray, share: np.ndarray) -> float | None:
    there = np.flatnonzero(share <= 0.5)
    return float(time[there[0]]) if len(there) else None
