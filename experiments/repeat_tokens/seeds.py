"""Means of repeat_tokens over seeds, with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.repeat_tokens import data
from harness.measure.intervals import student_t_columns
from harness.reporting.pools import pools_shown
from harness.runs.results.grouping import FEWEST_SEEDS, Setting
from harness.runs.results.stored_run import StoredRun


@dataclass(frozen=True)
class AcrossSeeds:
    """A mean over seeds with the mean ends of the runs' own intervals.

    Seeds draw other orders of the same tokens, so an interval over tokens and sequences does not shrink with them.
    """

    mean: float
    low: float | None
    high: float | None
    n_seeds: int
    published: float | None


def pools_of_all(runs: Sequence[StoredRun]) -> list[str]:
    """Every pool name, in the order first met: the colours of a picture across runs."""
    return list(dict.fromkeys(pool for run in runs for pool in pools_shown(run)))


def across_seeds(setting: Setting, pool: str, name: str) -> AcrossSeeds | None:
    """One metric of one pool over the seeds of a setting; None where no run holds it."""
    found = [data.measured(run, pool, name) for run in setting.runs]
    measured = [value for value in found if value.mean is not None]
    if not measured:
        return None
    means, lows, highs = zip(*(value.interval for value in measured), strict=True)
    has_ends = None not in lows and None not in highs
    low, high = (float(np.mean(ends)) if has_ends else None for ends in (lows, highs))
    return AcrossSeeds(float(np.mean(means)), low, high, len(measured), found[0].published)


def curve_across_seeds(setting: Setting, pool: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Mean log-prob at every position with the ends of its 95 % band.

    The band is over seeds where there are three or more, the run's own where there is one; with two it is NaN.
    """

    found = [run for run in setting.runs if data.position(run, pool, "logprob_mean") is not None]
    if not found:
        return None
    if len(found) == 1:
        arrays = found[0].arrays
        mean, low, high = (arrays[f"{pool}/position/logprob_{part}"] for part in ("mean", "low", "high"))
        return mean, low, high
    stacked = np.stack([run.arrays[f"{pool}/position/logprob_mean"] for run in found]).astype(np.float64)
    mean, low, high = student_t_columns(stacked)
    if len(found) < FEWEST_SEEDS:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    return mean, low, np.minimum(high, 0.0)
