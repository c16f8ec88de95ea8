"""Hand-made embeddings in which the glitch tokens are known, for detectors to find."""

import numpy as np

from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.view import Activations, EntropyGradient, ModelView, Uncertainty

WIDTH = 24
MINING_LENGTH, ACTIVATION_LENGTH = 11, 13
"""Positions of the two prompts that `PlantedPasses` makes believe."""


def planted_view(n=400, share=0.25, seed=0, noise=0.25, passes=None, price=QueryPrice()):  # noqa: B008 (frozen)
    """A view of `n` tokens and which of them fail: those drawn towards one direction by 0.5 to 1; others by less.

    Ids 0 to 3 are known to be unused; ids n and n + 1 are rows no verdict is wanted for.
    """
    rng = np.random.default_rng(seed)
    pull = np.where(rng.random(n) < share, rng.uniform(0.5, 1.0, n), rng.uniform(0.0, 0.5, n))
    pull[:4] = 1.0
    direction = rng.normal(size=WIDTH)
    direction /= np.linalg.norm(direction)
    own = rng.normal(size=(n, WIDTH)) / np.sqrt(WIDTH)
    rows = pull[:, None] * direction + (1 - pull)[:, None] * own * 1.5 + noise * 0.1 * rng.normal(size=(n, WIDTH))
    rows = np.concatenate([rows, rng.normal(size=(2, WIDTH))]).astype(np.float32)
    view = ModelView(
        ids=np.arange(n),
        embedding=rows,
        unembedding=rows,
        is_tied=True,
        texts=(*(f" word{i}" for i in range(n)), "", ""),
        merges=tuple(range(10, n)),
        byte_ids=frozenset(range(10)),
        unused_ids=(0, 1, 2, 3),
        passes=passes,
        price=price,
    )
    return view, pull >= 0.5


def oracle_of(truth, price=QueryPrice(), margins=None):  # noqa: B008 (frozen)
    """Answers the planted truth: a token that passes costs the usual price, one that fails the highest."""
    costs = {i: price.most if fails else int(price.usual) for i, fails in enumerate(truth)}
    known = None if margins is None else dict(enumerate(np.asarray(margins, dtype=float).tolist()))
    return TableOracle({i: bool(fails) for i, fails in enumerate(truth)}, tokens_per_query=costs, margins=known)


class Opener:
    """Opens oracles of one truth, and keeps them."""

    def __init__(self, truth, price=QueryPrice(), margins=None):  # noqa: B008 (frozen)
        self._given = truth, price, margins
        self.opened = []

    def __call__(self):
        self.opened.append(oracle_of(*self._given))
        return self.opened[-1]

    @property
    def positions(self):
        """Token positions that all of them charged."""
        return sum(oracle.tokens_processed for oracle in self.opened)


class PlantedPasses:
    """Entropy that rises with `hotness`, the token said unless it fails, and activations that show which fail."""

    can_measure_uncertainty = True
    mining_length, activation_length = MINING_LENGTH, ACTIVATION_LENGTH

    def __init__(self, truth, hotness, gradient, seed=0, shares_activations=True):
        self.truth, self.hotness, self.gradient = truth, hotness, gradient
        self.shares_activations = shares_activations
        self.calls = {"uncertainty": 0, "entropy_gradient": 0, "activations": 0}
        self._values = np.random.default_rng(seed).normal(size=(len(truth), 30))
        self._values[:, :5] += 3.0 * np.asarray(truth)[:, None]

    def uncertainty(self, ids):
        self.calls["uncertainty"] += len(ids)
        entropy, said = self.hotness[list(ids)].astype(np.float64), ~self.truth[list(ids)]
        return Uncertainty(entropy, said, MINING_LENGTH * len(ids))

    def entropy_gradient(self, token_id):
        self.calls["entropy_gradient"] += 1
        return EntropyGradient(float(self.hotness[token_id]), self.gradient, MINING_LENGTH)

    def can_read_activations(self, layers):
        return True

    def activations(self, ids, layers):
        self.calls["activations"] += len(ids)
        return Activations(self._values[list(ids)].astype(np.float32), ACTIVATION_LENGTH * len(ids))


def f1_of(report, truth):
    """F1 of what is reported."""
    predicted = np.zeros(len(truth), dtype=bool)
    predicted[report.predicted] = True
    hits = (predicted & truth).sum()
    return 2 * hits / (predicted.sum() + truth.sum())
