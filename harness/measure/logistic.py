"""Logistic regression of shares of trials, with intervals that know that trials of one token hang together.

The estimate is that of maximum likelihood (Newton's method). Its variance is the sandwich over clusters (Liang & Zeger
1986) times g / (g - k) for g clusters and k coefficients: it holds whatever the trials of one cluster do to one
another, and where the spread is not the binomial one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linprog
from scipy.special import expit, log_expit, xlogy

from harness.measure.intervals import Interval, Method, t_quantile

_MOST_STEPS = 100
_CLOSE = 1e-10
"""Of the gain in log-likelihood that a Newton step promises, per trial."""


@dataclass(frozen=True)
class LogisticFit:
    """Log-odds as a sum: an intercept, and each column of the design times its coefficient."""

    intercept: Interval
    coefficients: tuple[Interval, ...]
    """One a column; `n` counts clusters."""
    deviance: float
    null_deviance: float
    """Of the intercept alone."""

    @property
    def explained(self) -> float:
        """Share of the deviance that the columns explain."""
        return 1 - self.deviance / self.null_deviance


class NoEstimate(Exception):
    """Why there is no estimate, as a sentence's second half: `every trial succeeds`."""


def fit_logistic(
    design: Float[np.ndarray, "row column"],
    successes: Int[np.ndarray, " row"],
    trials: Int[np.ndarray, " row"],
    clusters: Int[np.ndarray, " row"],
) -> LogisticFit:
    """Fit successes of trials on the columns and an intercept; rows of one cluster carry the same number.

    Raises `NoEstimate` where the columns are no more than sums of one another, where there are no more clusters than
    coefficients, or where the trials leave no finite estimate (all alike, or told apart without a mistake).
    """
    x = np.column_stack([np.ones(len(design)), design]).astype(np.float64)
    y, n = successes.astype(np.float64), trials.astype(np.float64)
    _, cluster_of = np.unique(clusters, return_inverse=True)
    n_clusters, n_coefficients = len(np.unique(clusters)), x.shape[1]
    if n_clusters <= n_coefficients:
        raise NoEstimate(f"{n_clusters} tokens are too few for {n_coefficients} coefficients")
    if y.sum() in (0, n.sum()):
        raise NoEstimate("no trial succeeds" if y.sum() == 0 else "every trial succeeds")
    # Columns of one size: neither rank nor steps then depend on what they are counted in.
    size = np.maximum(np.abs(x).max(axis=0), np.finfo(np.float64).tiny)
    scaled = x / size
    if np.linalg.matrix_rank(scaled, tol=1e-9 * np.sqrt(len(x))) < n_coefficients:
        raise NoEstimate("a column is a sum of others")
    if _is_separated(scaled, y, n):
        raise NoEstimate("the columns tell successes from failures without a mistake")
    beta = _maximum(scaled, y, n)
    fitted = expit(scaled @ beta)
    bread = np.linalg.inv(_information(scaled, n, fitted))
    scores = np.zeros((n_clusters, n_coefficients))
    np.add.at(scores, cluster_of, scaled * (y - n * fitted)[:, None])
    variance = bread @ (scores.T @ scores) @ bread * n_clusters / (n_clusters - n_coefficients)
    errors = np.sqrt(np.diag(variance)) * t_quantile(n_clusters - n_coefficients)
    found = [
        Interval(float(mean), float(mean - half), float(mean + half), n_clusters, Method.SANDWICH_T)
        for mean, half in zip(beta / size, errors / size, strict=True)
    ]
    share = y.sum() / n.sum()
    return LogisticFit(
        found[0], tuple(found[1:]), _deviance(y, n, _likelihood(scaled @ beta, y, n)),
        _deviance(y, n, float(xlogy(y, share).sum() + xlogy(n - y, 1 - share).sum())),
    )  # fmt: skip


def variance_inflation(design: Float[np.ndarray, "row column"]) -> list[float | None]:
    """How many times larger each coefficient's variance is than if its column had nothing to do with the others.

    1 / (1 - R²) of the column on the others; None where it is a sum of them.
    """
    columns = design.astype(np.float64)
    found: list[float | None] = []
    for number in range(columns.shape[1]):
        own = columns[:, number]
        others = np.column_stack([np.ones(len(own)), np.delete(columns, number, axis=1)])
        left = own - others @ np.linalg.lstsq(others, own, rcond=None)[0]
        spread, unexplained = float(((own - own.mean()) ** 2).sum()), float((left**2).sum())
        found.append(spread / unexplained if unexplained > 1e-12 * spread else None)
    return found


def _is_separated(
    x: Float[np.ndarray, "row column"], y: Float[np.ndarray, " row"], n: Float[np.ndarray, " row"]
) -> bool:
    """Whether some direction never lowers the likelihood, so that it has no maximum (Konis 2007, section 4.2)."""
    never, always = y == 0, y == n
    signs = np.where(always, 1.0, -1.0)[:, None]
    pure, mixed = (never | always) & (n > 0), ~(never | always)
    toward = signs[pure] * x[pure]
    result = linprog(
        -toward.sum(axis=0), A_ub=-toward, b_ub=np.zeros(len(toward)),
        A_eq=x[mixed] if mixed.any() else None, b_eq=np.zeros(int(mixed.sum())) if mixed.any() else None,
        bounds=(-1, 1), method="highs",
    )  # fmt: skip
    return bool(result.success and -result.fun > 1e-6)


def _maximum(
    x: Float[np.ndarray, "row column"], y: Float[np.ndarray, " row"], n: Float[np.ndarray, " row"]
) -> Float[np.ndarray, " column"]:
    beta = np.zeros(x.shape[1])
    value = _likelihood(x @ beta, y, n)
    for _ in range(_MOST_STEPS):
        fitted = expit(x @ beta)
        score = x.T @ (y - n * fitted)
        step = np.linalg.solve(_information(x, n, fitted), score)
        if score @ step < _CLOSE * n.sum():
            return beta + step
        # Far from the maximum a whole step may overshoot.
        while _likelihood(x @ (beta + step), y, n) < value:
            step = step / 2
        beta = beta + step
        value = _likelihood(x @ beta, y, n)
    raise NoEstimate("the search for the maximum does not end")


def _information(
    x: Float[np.ndarray, "row column"], n: Float[np.ndarray, " row"], fitted: Float[np.ndarray, " row"]
) -> Float[np.ndarray, "column column"]:
    found: np.ndarray = (x * (n * fitted * (1 - fitted))[:, None]).T @ x
    return found


def _likelihood(
    log_odds: Float[np.ndarray, " row"], y: Float[np.ndarray, " row"], n: Float[np.ndarray, " row"]
) -> float:
    return float((y * log_expit(log_odds) + (n - y) * log_expit(-log_odds)).sum())


def _deviance(y: Float[np.ndarray, " row"], n: Float[np.ndarray, " row"], likelihood: float) -> float:
    share = y / np.maximum(n, 1)
    return 2 * (float((xlogy(y, share) + xlogy(n - y, 1 - share)).sum()) - likelihood)
