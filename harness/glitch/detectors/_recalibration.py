"""Probabilities that keep their promise: what was said of tokens before they were queried, held against the answers."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit

# Of the shift and of the logarithm of the slope before any answer: mostly within a factor of 1.6 of what was said.
_PRIOR_SD = 0.5


def recalibrate(
    log_odds: Float[np.ndarray, " token"], said: Float[np.ndarray, " queried"], fails: Bool[np.ndarray, " queried"]
) -> Float[np.ndarray, " token"]:
    """P(glitch) from log-odds, shifted and stretched as `said`, log-odds before the answers, should have been (Platt
    1999, by penalised likelihood). Without an answer it is what the log-odds say."""

    def loss(line: Float[np.ndarray, " 2"]) -> tuple[float, Float[np.ndarray, " 2"]]:
        shift, slope = line[0], np.exp(line[1])
        z = shift + slope * said
        excess = expit(z) - fails
        value = (np.logaddexp(0, z) - fails * z).sum() + (line @ line) / (2 * _PRIOR_SD**2)
        return value, np.array([excess.sum(), slope * (excess * said).sum()]) + line / _PRIOR_SD**2

    shift, log_slope = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    found: np.ndarray = expit(shift + np.exp(log_slope) * log_odds)
    return found
