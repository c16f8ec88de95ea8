"""Hand-made embeddings in which the glitch tokens are known, for detectors to find."""

import numpy as np

from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.detectors.view import Activations, EntropyGradient, ModelView, Uncertainty

WIDTH = 24


def planted_view(n=400, share=0.25, seed=0, noise=0.25, passes=None, price=1):
    """A view of `n` tokens and which of them fail: those drawn towards one direction by 0.3 to 1, from 0.5 on.

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
        queries_per_token=price,
    )
    return view, pull >= 0.5


def oracle_of(truth, price=1, budget=None):
    """Answers the planted truth."""
    return TableOracle({i: bool(fails) for i, fails in enumerate(truth)}, price, 7, budget)


class PlantedPasses:
    """Entropy that rises with `hotness`, the token said unless it fails, activations that show which fail, and margins
    below zero for those, `margins` where given."""

    can_measure_uncertainty = shares_activations = can_read_margins = True

    def __init__(self, truth, hotness, gradient, seed=0, margins=None):
        self.truth, self.hotness, self.gradient = truth, hotness, gradient
        self.lead = np.where(truth, -1.0, 1.0) if margins is None else margins
        self.calls = {"uncertainty": 0, "entropy_gradient": 0, "activations": 0, "margins": 0}
        self._rng = np.random.default_rng(seed)

    def uncertainty(self, ids):
        self.calls["uncertainty"] += len(ids)
        return Uncertainty(self.hotness[list(ids)].astype(np.float64), ~self.truth[list(ids)], 11 * len(ids))

    def entropy_gradient(self, token_id):
        self.calls["entropy_gradient"] += 1
        return EntropyGradient(float(self.hotness[token_id]), self.gradient, 11)

    def can_read_activations(self, layers):
        return True

    def activations(self, ids, layers):
        self.calls["activations"] += len(ids)
        values = self._rng.normal(size=(len(ids), 30))
        values[:, :5] += 3.0 * self.truth[list(ids)][:, None]
        return Activations(values.astype(np.float32), 13 * len(ids))

    def margins(self, ids):
        self.calls["margins"] += len(ids)
        return self.lead[list(ids)]


def f1_of(result, truth):
    """F1 of a result's report."""
    predicted = np.zeros(len(truth), dtype=bool)
    predicted[result.predicted] = True
    hits = (predicted & truth).sum()
    return 2 * hits / (predicted.sum() + truth.sum())
