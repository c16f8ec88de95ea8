"""The Gaussian process on margins, against formulas written out and planted functions."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import norm

from harness.glitch.detectors import _margin_process as margin_process
from harness.glitch.detectors._margin_process import MarginProcess, targets

pytestmark = pytest.mark.unit


def test_a_margin_counts_only_on_the_side_of_its_verdict():
    margins = np.array([-0.5, 0.5, -0.5, 0.5, -9.0, 9.0])
    fails = np.array([True, False, False, True, True, False])
    assert targets(margins, fails).tolist() == [-0.5, 0.5, 1.0, -1.0, -2.0, 4.0]
    assert targets(None, fails).tolist() == [-1.0, 1.0, 1.0, -1.0, -1.0, 1.0]
    # An answer whose margin can't be read is a verdict alone.
    assert targets(np.array([np.nan, np.nan, 0.5]), np.array([True, False, False])).tolist() == [-1.0, 1.0, 0.5]


def planted(n=400, seed=0):
    """Six features, of which the second alone decides."""
    values = np.random.default_rng(seed).normal(size=(n, 6))
    return values, 1.5 * np.sin(1.5 * values[:, 1])


def learnt(values, margins, n_queried, groups, seed=0):
    queried = np.random.default_rng(seed).permutation(len(values))[:n_queried]
    process = MarginProcess(groups, seed)
    return process.learn(values, queried, margins[queried], np.zeros(n_queried)), process, queried


def test_probabilities_are_those_of_the_textbook_formula():
    values, margins = planted(60)
    groups = [np.arange(2), np.arange(2, 6)]
    found, process, queried = learnt(values, margins, 25, groups)
    amplitude, *lengths, slope, noise = np.exp(process._scales)

    def kernel(some, others):
        far = sum(
            ((some[:, None, g] - others[None, :, g]) ** 2).mean(axis=2) / length**2
            for g, length in zip(groups, lengths, strict=True)
        )
        return amplitude * np.exp(-far / 4) + slope * some @ others.T / 6

    known = margins[queried]
    inverse = np.linalg.inv(kernel(values[queried], values[queried]) + noise * np.eye(25))
    across = kernel(values, values[queried])
    mean = known.mean() + known.std() * across @ inverse @ (known - known.mean()) / known.std()
    variance = np.diag(kernel(values, values)) - np.einsum("ij,jk,ik->i", across, inverse, across) + noise
    assert found == pytest.approx(norm.cdf(-mean / (known.std() * np.sqrt(variance))), abs=1e-6)


def test_the_gradient_of_the_evidence_is_its_slope():
    values, margins = planted(30)
    distances = [margin_process._distances(values[:, :2], values[:, :2]), margin_process._distances(values, values)]
    start = np.log([1.0, 1.0, 1.0, 0.1, 0.3])
    evidence = margin_process._Evidence(distances, margin_process._products(values, values), margins, start)
    at = start + np.random.default_rng(1).normal(size=5) * 0.5
    assert check_grad(lambda x: evidence.loss(x)[0], lambda x: evidence.loss(x)[1], at) < 1e-4


def test_it_finds_which_group_of_features_tells():
    values, margins = planted(600)
    apart = [np.array([1]), np.array([0, 2, 3, 4, 5])]
    found, process, queried = learnt(values, margins, 120, apart)
    _, telling, other, _, _ = process._scales
    assert other > telling + 1, "the length of features that say nothing must grow"
    rest = np.setdiff1d(np.arange(600), queried)
    alike, _, _ = learnt(values, margins, 120, [np.arange(6)])
    right, blunt = (((p > 0.5) == (margins < 0))[rest].mean() for p in (found, alike))
    assert right > 0.95
    assert right > blunt


def test_more_answers_than_it_can_hold_are_halved_by_doubt(monkeypatch):
    monkeypatch.setattr(margin_process, "_MOST_ANSWERS", 40)
    doubt = np.zeros(100)
    doubt[:20] = 1.0
    kept = MarginProcess([np.arange(2)], 0)._kept(doubt)
    assert len(set(kept.tolist())) == 40
    assert set(range(20)) <= set(kept.tolist())
    assert np.array_equal(MarginProcess([np.arange(2)], 0)._kept(np.zeros(30)), np.arange(30))
