"""Means of repeat_tokens over seeds, with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.repeat_tokens import data, quantities
from harness.measure.intervals import student_t, student_t_columns, wilson_clustered
from harness.reporting.pools import pools_shown
from harness.runs.results.grouping import Setting
from harness.runs.results.stored_run import StoredRun

FEWEST_SEEDS = 3
"""Of a band over seeds: with two, Student's interval is 13 standard errors wide and would hide the curves."""


@dataclass(frozen=True)
class AcrossSeeds:
    """A mean over seeds with its Student t interval; one seed keeps its own interval over sequences."""

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
    values = [value.mean for value in found if isinstance(value.mean, int | float)]
    if not values:
        return None
    if len(values) == 1:
        only = next(value for value in found if value.mean is not None)
        return AcrossSeeds(values[0], only.low, only.high, 1, only.published)
    over_seeds = np.array(values, dtype=np.float64)
    interval = student_t(over_seeds)
    is_share = any(quantity.is_share for quantity in quantities.QUANTITIES if quantity.name == name)
    if is_share and np.ptp(over_seeds) == 0:
        # Seeds that all score 0 (or all 1) do not differ, but that is no proof of exactly 0: Wilson over all sequences.
        n_sequences = sum(int(run.metrics.get(f"{pool}/n_sequences") or 1) for run in setting.runs)
        interval = wilson_clustered(np.full(n_sequences, over_seeds[0]), data.seq_len(setting.runs[0]))
    low, high = interval.low, interval.high
    if is_share and low is not None and high is not None:
        low, high = max(low, 0.0), min(high, 1.0)
    return AcrossSeeds(interval.mean, low, high, len(values), found[0].published)


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
