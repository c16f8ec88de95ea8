"""P(glitch) of every token from a few answers: a Gaussian process on how closely a token failed or passed.

A verdict is one bit; the answer it was read from says more, by how much the token led or trailed. The process learns
that margin, and P(glitch) is its chance to lie below zero. Its kernel has one length for each group of features, and
the data choose these lengths (type-II maximum likelihood; Rasmussen & Williams 2006, sections 2.2 and 5.4.1): which
kind of feature tells glitch tokens apart differs from model to model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtr

# Margins are clipped (in logits): far from zero only their sign is informative, and outliers would set the scale.
_LOWEST, _HIGHEST = -2.0, 4.0
# A verdict whose answer gives no margin, or one of the other side (it failed another task): one logit to its side.
_ONE_SIDE = 1.0
# Fitting takes time cubic in the number of answers; beyond this many, more of them add little.
_MOST_ANSWERS = 600
_MOST_FOR_SCALES = 300
# Lengths are fitted again whenever there are this many times more answers.
_GROWTH = 1.2
_CHUNK = 4096
_STEPS = 15
_SPREAD_OF_PRIOR = 1.5
_BOUNDS = {"amplitude": (1e-3, 100.0), "length": (0.1, 30.0), "slope": (1e-4, 30.0), "noise": (0.01, 2.0)}
_START = {"amplitude": 1.0, "length": 1.0, "slope": 0.1, "noise": 0.3}


def targets(
    margins: Float[np.ndarray, " queried"] | None, fails: Bool[np.ndarray, " queried"], boundary: float = 0.0
) -> Float[np.ndarray, " queried"]:
    """What the process learns: by how much margins lie above `boundary`, where that is the side of their verdicts; a
    verdict alone stands one logit to its side."""
    side = np.where(fails, -_ONE_SIDE, _ONE_SIDE)
    if margins is None:
        return side
    margins = margins - boundary
    is_usable = np.isfinite(margins) & ((margins < 0) == fails)
    return np.where(is_usable, np.clip(margins, _LOWEST, _HIGHEST), side)


@dataclass(eq=False)
class MarginProcess:
    """A Gaussian process fitted again as answers come in. `groups`: columns of the features that share a length."""

    groups: Sequence[Int[np.ndarray, " _"]]
    seed: int
    _scales: Float[np.ndarray, " scale"] | None = field(default=None, init=False)
    _n_learnt: int = field(default=0, init=False)

    def learn(
        self,
        values: Float[np.ndarray, "token feature"],
        queried: Int[np.ndarray, " queried"],
        margins: Float[np.ndarray, " queried"],
        doubt: Float[np.ndarray, " queried"],
    ) -> Float[np.ndarray, " token"]:
        """P(margin < 0) of every token, another answer's noise included.

        `asked` are rows of `values`; `doubt` is high for those that count most where there are too many.
        """

        kept = self._kept(doubt)
        rows, known = values[queried[kept]], margins[kept]
        middle, spread = known.mean(), known.std() + 1e-9
        known = (known - middle) / spread
        if self._scales is None or len(queried) >= _GROWTH * self._n_learnt:
            some = np.random.default_rng([self.seed, 8]).permutation(len(kept))[:_MOST_FOR_SCALES]
            self._scales = self._fit(rows[some], known[some])
            self._n_learnt = len(queried)
        amplitude, _, slope, noise = self._parts(self._scales)
        lower = cholesky(self._kernel(rows, rows) + noise * np.eye(len(rows)), lower=True)
        weights = solve_triangular(lower, known, lower=True)
        found = np.empty(len(values))
        for start in range(0, len(values), _CHUNK):
            part = values[start : start + _CHUNK]
            seen = solve_triangular(lower, self._kernel(rows, part), lower=True)
            prior = amplitude + slope * (part**2).mean(axis=1)
            variance = np.maximum(prior - (seen**2).sum(axis=0), 1e-9) + noise
            found[start : start + _CHUNK] = ndtr(-(weights @ seen + middle / spread) / np.sqrt(variance))
        return found

    def _kept(self, doubt: Float[np.ndarray, " queried"]) -> Int[np.ndarray, " kept"]:
        """All answers, or half of them at random and half in most doubt: chosen by the earlier estimate and not by
        verdict, which would bias what is learnt."""
        order = np.random.default_rng([self.seed, 7]).permutation(len(doubt))
        if len(order) <= _MOST_ANSWERS:
            return np.arange(len(order))
        half = _MOST_ANSWERS // 2
        rest = order[half:]
        return np.sort(np.concatenate([order[:half], rest[np.argsort(-doubt[rest], kind="stable")][:half]]))

    def _parts(self, scales: Float[np.ndarray, " scale"]) -> tuple[float, Float[np.ndarray, " group"], float, float]:
        """Amplitude, length of each group, slope and noise; `scales` are their logarithms."""
        amplitude, *lengths, slope, noise = np.exp(scales).tolist()
        return amplitude, np.asarray(lengths), slope, noise

    def _kernel(
        self, some: Float[np.ndarray, "some feature"], others: Float[np.ndarray, "others feature"]
    ) -> Float[np.ndarray, "some others"]:
        assert self._scales is not None
        amplitude, lengths, slope, _ = self._parts(self._scales)
        total = sum(
            _distances(some[:, group], others[:, group]) / length**2
            for group, length in zip(self.groups, lengths, strict=True)
        )
        kernel: np.ndarray = amplitude * np.exp(-0.5 * total / len(self.groups)) + slope * _products(some, others)
        return kernel

    def _fit(self, rows: Float[np.ndarray, "some feature"], known: Float[np.ndarray, " some"]) -> np.ndarray:
        """The logarithms of the scales under which these answers are likeliest, held near their start."""

        kinds = ["amplitude", *["length"] * len(self.groups), "slope", "noise"]
        start = np.log([_START[kind] for kind in kinds])
        distances = [_distances(rows[:, group], rows[:, group]) for group in self.groups]
        evidence = _Evidence(distances, _products(rows, rows), known, start)
        found = minimize(
            evidence.loss,
            start if self._scales is None else self._scales,
            jac=True,
            method="L-BFGS-B",
            bounds=[tuple(np.log(_BOUNDS[kind])) for kind in kinds],
            options={"maxiter": _STEPS},
        )
        best: np.ndarray = found.x
        return best


@dataclass(frozen=True, eq=False)
class _Evidence:
    """How likely the answers are under given scales, with a prior that holds these near `start`."""

    distances: list[Float[np.ndarray, "n n"]]
    products: Float[np.ndarray, "n n"]
    known: Float[np.ndarray, " n"]
    start: Float[np.ndarray, " scale"]

    def loss(self, scales: Float[np.ndarray, " scale"]) -> tuple[float, Float[np.ndarray, " scale"]]:
        """Minus the log evidence and the log prior, and the gradient."""

        amplitude, *lengths, slope, noise = np.exp(scales).tolist()
        n, n_groups = len(self.known), len(self.distances)
        scaled = [d / (length**2 * n_groups) for d, length in zip(self.distances, lengths, strict=True)]
        near = amplitude * np.exp(-0.5 * sum(scaled))
        factor = cho_factor(near + slope * self.products + noise * np.eye(n), lower=True)
        inverse = cho_solve(factor, np.eye(n))
        weights = inverse @ self.known
        away = (scales - self.start) / _SPREAD_OF_PRIOR
        loss = 0.5 * self.known @ weights + np.log(np.diag(factor[0])).sum() + 0.5 * (away**2).sum()
        outer = inverse - np.outer(weights, weights)
        slopes = [near, *(near * d for d in scaled), slope * self.products]
        gradient = np.array([0.5 * (outer * part).sum() for part in slopes] + [0.5 * noise * np.trace(outer)])
        return float(loss), gradient + away / _SPREAD_OF_PRIOR


def _distances(
    some: Float[np.ndarray, "some part"], others: Float[np.ndarray, "others part"]
) -> Float[np.ndarray, "some others"]:
    """Mean squared difference over the features of a group."""
    lengths = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None]
    squares: np.ndarray = np.maximum(lengths - 2 * some @ others.T, 0.0) / some.shape[1]
    return squares


def _products(
    some: Float[np.ndarray, "some feature"], others: Float[np.ndarray, "others feature"]
) -> Float[np.ndarray, "some others"]:
    product: np.ndarray = some @ others.T / some.shape[1]
    return product
