"""A sample drawn from strata, and shares of the whole estimated from it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

from harness.measure.intervals import CONFIDENCE, Interval, Method, score_interval


@dataclass(frozen=True, eq=False)
class StratifiedSample:
    """Some units of a whole: `places` into it, ascending, each with its stratum and what it stands for."""

    places: Int[np.ndarray, " sample"]
    stratum: Int[np.ndarray, " sample"]
    weight: Float[np.ndarray, " sample"]
    """Units of the whole that each stands for; they add up to the whole."""
    sizes: Int[np.ndarray, " stratum"]
    """Units of the whole in each stratum."""


def draw_stratified(labels: Sequence[Hashable], n: int, rng: np.random.Generator, least: int = 10) -> StratifiedSample:
    """`n` units, without replacement: from every stratum in proportion, but at least `least` (all of a smaller one).

    Raises `ValueError` for fewer than one unit, or more than there are.
    """
    if not 0 < n <= len(labels):
        raise ValueError(f"{n} of {len(labels)} units")
    names = sorted(set(labels), key=str)
    code = {name: number for number, name in enumerate(names)}
    stratum = np.array([code[label] for label in labels], dtype=np.int64)
    sizes = np.bincount(stratum, minlength=len(names))
    counts = _allocate(sizes, n, least)
    places = np.concatenate(
        [
            rng.choice(np.flatnonzero(stratum == number), size=count, replace=False)
            for number, count in enumerate(counts.tolist())
        ]
    )
    places = np.sort(places)
    weight = sizes[stratum[places]] / counts[stratum[places]]
    return StratifiedSample(places, stratum[places], weight.astype(np.float64), sizes)


def _allocate(sizes: Int[np.ndarray, " stratum"], n: int, least: int) -> Int[np.ndarray, " stratum"]:
    """How many units of each stratum, `n` together."""
    base = np.minimum(sizes, least)
    if base.sum() > n:
        # Not enough for the least of each: in proportion, the largest remainders first.
        base = np.zeros_like(sizes)
    left, room = n - int(base.sum()), sizes - base
    ideal = np.zeros(len(sizes)) if room.sum() == 0 else left * room / room.sum()
    counts = base + np.floor(ideal).astype(np.int64)
    order = np.argsort(np.floor(ideal) - ideal, kind="stable")
    for number in order.tolist():
        if counts.sum() == n:
            break
        counts[number] += int(counts[number] < sizes[number])
    return counts


def weighted_share(sample: StratifiedSample, hits: Bool[np.ndarray, " sample"]) -> Interval:
    """The share of the whole that `hits` stands for, with a 95 % interval.

    Cochran 1977, section 5.10: the variance is that of a stratified estimate of a proportion, with the correction for
    finite strata. The interval is Wilson's with the number of independent units that would give this variance (the
    sample's size where it is zero, so that no hits at all leave an upper end). A whole that was asked entirely is no
    estimate: both ends are the share.
    """
    share = float(np.average(hits, weights=sample.weight))
    n = len(hits)
    if n == int(sample.sizes.sum()) or n == 1:
        return Interval(share, share if n > 1 else None, share if n > 1 else None, n, Method.NONE)
    variance = 0.0
    for number, size in enumerate(sample.sizes.tolist()):
        inside: Bool[np.ndarray, " sample"] = sample.stratum == number
        n_inside = int(inside.sum())
        if n_inside > 1:
            p = float(hits[inside].mean())
            variance += (size / sample.sizes.sum()) ** 2 * (1 - n_inside / size) * p * (1 - p) / (n_inside - 1)
    effective = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else float(n)
    low, high = score_interval(share, float(effective), float(ndtri(0.5 + CONFIDENCE / 2)))
    return Interval(share, low, high, n, Method.WILSON_STRATIFIED)
