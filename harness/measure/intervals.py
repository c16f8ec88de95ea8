"""A mean with its 95 % interval, what it is over, and how it was made."""

import math
from dataclasses import astuple, dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri, stdtrit

CONFIDENCE = 0.95


class Method(Enum):
    """How an interval was made."""

    STUDENT_T = "Student t"
    WILSON = "Wilson"
    WILSON_CLUSTERED = "Wilson with the effective number of trials of clustered data"
    NEWCOMBE = "Newcombe's combination of two Wilson intervals"
    NEWCOMBE_PAIRED = "Newcombe's interval for paired proportions"
    CROSSED_T = "Student t with the variance clustered by token and by sequence"
    WILSON_CROSSED = "Wilson with the effective number of trials of data clustered by token and by sequence"
    WILSON_STRATIFIED = "Wilson with the effective number of units of a stratified sample"
    SANDWICH_T = "Student t with the sandwich variance clustered by token"
    FISHER_Z = "Fisher's z of a rank correlation"
    BOOTSTRAP = "percentile bootstrap"
    PIGEONHOLE = "percentile bootstrap of tokens crossed with draws"
    KAPLAN_MEIER = "where a Kaplan-Meier band crosses"
    NONE = "none"


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; `low` and `high` are None where one observation allows none."""

    mean: float
    low: float | None
    high: float | None
    n: int
    """Independent units the interval is over: sequences, proportions' trials, or distinct tokens."""
    method: Method

    def metrics(self, name: str) -> dict[str, float | None]:
        """The three numbers under their names in metrics.json."""
        return {name: self.mean, f"{name}/ci_low": self.low, f"{name}/ci_high": self.high}


def t_quantile(df: float | int) -> float:
    """Half-width, in standard errors, of a two-sided Student t interval with `df` degrees of freedom."""

    return float(stdtrit(df, 0.5 + CONFIDENCE / 2))


def student_t(values: Float[np.ndarray, " sample"]) -> Interval:
    """Mean of independent values with a Student t interval. Raises `ValueError` for no values."""
    means, lows, highs = student_t_columns(np.asarray(values, dtype=np.float64)[:, None])
    if len(values) == 1:
        return Interval(float(means[0]), None, None, 1, Method.NONE)
    return Interval(float(means[0]), float(lows[0]), float(highs[0]), len(values), Method.STUDENT_T)


def student_t_columns(
    values: Float[np.ndarray, "sample column"],
) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, " column"], Float[np.ndarray, " column"]]:
    """Means, lower and upper ends of every column; NaN is no sample, and a column of one sample has no ends (NaN)."""
    if len(values) == 0:
        raise ValueError("a mean needs at least one value")
    values = values.astype(np.float64)
    n = (~np.isnan(values)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=0) / np.where(n == 0, np.nan, n)
        deviation = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.where(n < 2, np.nan, n - 1))
        half_width = stdtrit(np.maximum(n - 1, 1), 0.5 + CONFIDENCE / 2) * deviation / np.sqrt(n)
    return mean, mean - half_width, mean + half_width


def wilson(successes: int, trials: int) -> Interval:
    """A proportion of independent trials with Wilson's score interval. Raises `ValueError` for no trials."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    proportion = successes / trials
    if trials == 1:
        return Interval(proportion, None, None, 1, Method.NONE)

    low, high = score_interval(proportion, float(trials), float(ndtri(0.5 + CONFIDENCE / 2)))
    return Interval(proportion, low, high, trials, Method.WILSON)


def wilson_clustered(proportions: Float[np.ndarray, " cluster"], cluster_size: int) -> Interval:
    """A proportion over clusters (sequences) of `cluster_size` trials (positions) each.

    Trials of one sequence hang together, so counting each as independent makes the interval too short, and a Student t
    interval over sequences shrinks to a point when all sequences score 0 or all score 1. This is Wilson's interval with
    the number of independent trials that would give the variance seen between clusters (at most the number of trials),
    and Student's quantile for that variance's own uncertainty. Where the clusters do not differ at all, how strongly
    their trials hang together cannot be seen, and each cluster counts as one trial. Raises `ValueError` for no
    clusters.
    """
    n = len(proportions)
    if n == 0 or cluster_size < 1:
        raise ValueError(f"{n} clusters of {cluster_size} trials")
    values = np.asarray(proportions, dtype=np.float64)
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, None, None, 1, Method.NONE)
    variance_of_mean = float(values.var(ddof=1)) / n
    if mean in (0.0, 1.0) or variance_of_mean == 0:
        effective = float(n)
    else:
        effective = min(mean * (1 - mean) / variance_of_mean, float(n * cluster_size))
    low, high = score_interval(mean, effective, t_quantile(n - 1))
    return Interval(mean, low, high, n, Method.WILSON_CLUSTERED)


@dataclass(frozen=True)
class ClusterSums:
    """What a share over clusters of unequal sizes needs: a few sums, however many clusters there are.

    x_i of the n_i trials of cluster i (a document's tokens) succeed.
    """

    clusters: int = 0
    hits: int = 0
    """Sum of x_i."""
    trials: int = 0
    """Sum of n_i."""
    hits_squared: int = 0
    trials_squared: int = 0
    hits_times_trials: int = 0

    @classmethod
    def of(cls, hits: Int[np.ndarray, " cluster"], trials: Int[np.ndarray, " cluster"]) -> "ClusterSums":
        """The sums over some clusters; one without a trial says nothing about a share and is left out."""
        x, n = hits[trials > 0].astype(np.int64), trials[trials > 0].astype(np.int64)
        return cls(len(n), int(x.sum()), int(n.sum()), int((x * x).sum()), int((n * n).sum()), int((x * n).sum()))

    def __add__(self, other: "ClusterSums") -> "ClusterSums":
        return ClusterSums(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def wilson_ratio(sums: ClusterSums) -> Interval:
    """The share of all trials that succeed, where trials of one cluster hang together and clusters differ in size.

    `wilson_clustered` for unequal sizes: the variance is that of a ratio estimator (Cochran 1977, section 6.4),
    sum (x_i - p n_i)^2 / (k (k - 1) mean(n)^2) over k clusters. Where the clusters do not differ at all, each counts as
    one trial. Raises `ValueError` for no trials.
    """
    if sums.trials < 1:
        raise ValueError(f"{sums.hits} successes in {sums.trials} trials")
    k, share = sums.clusters, sums.hits / sums.trials
    if k == 1:
        return Interval(share, None, None, 1, Method.NONE)
    spread = sums.hits_squared - 2 * share * sums.hits_times_trials + share**2 * sums.trials_squared
    variance = max(spread, 0.0) / (k * (k - 1)) * (k / sums.trials) ** 2
    # A variance of zero can come out slightly positive by rounding.
    differ = 0 < sums.hits < sums.trials and variance > 1e-15 * share**2
    effective = min(share * (1 - share) / variance, float(sums.trials)) if differ else float(k)
    low, high = score_interval(share, effective, t_quantile(k - 1))
    return Interval(share, low, high, k, Method.WILSON_CLUSTERED)


def score_interval(proportion: float, trials: float, quantile: float) -> tuple[float, float]:
    """Ends of Wilson's score interval, `quantile` standard errors wide on either side; `trials` need not be whole."""
    shrink = 1 + quantile**2 / trials
    centre = (proportion + quantile**2 / (2 * trials)) / shrink
    spread = quantile / shrink * math.sqrt(proportion * (1 - proportion) / trials + quantile**2 / (4 * trials**2))
    # At the ends the formula gives 0 and 1 up to rounding.
    low = 0.0 if proportion == 0 else max(0.0, centre - spread)
    high = 1.0 if proportion == 1 else min(1.0, centre + spread)
    return low, high
