"""One threshold on one indicator, averaged over what fits: against a sum over the whole grid, and planted ones."""

import numpy as np
import pytest
from scipy.special import ndtri

from harness.glitch.detectors._logistic_average import _LAPSE
from harness.glitch.detectors._threshold_model import _PLACES, _STEEPNESSES, ThresholdModel

pytestmark = pytest.mark.unit

NOTHING = np.empty(0, dtype=np.int64), np.empty(0, dtype=bool)


def normal_scores(n):
    """Ranks on the scale of a normal distribution, ascending."""
    return ndtri((np.arange(n) + 0.5) / n)


def test_probabilities_are_the_average_over_the_whole_grid():
    rng = np.random.default_rng(0)
    columns = np.column_stack([normal_scores(40), rng.permutation(normal_scores(40))])
    queried, fails = np.array([0, 3, 9, 20, 35]), np.array([True, True, False, False, False])
    weights, curves = [], []
    for column in columns.T:
        for place in _PLACES:
            for steepness in _STEEPNESSES:
                curve = _LAPSE / 2 + (1 - _LAPSE) / (1 + np.exp(-steepness * (-column - place)))
                weights.append(np.prod(np.where(fails, curve[queried], 1 - curve[queried])))
                curves.append(curve)
    expected = np.average(curves, axis=0, weights=weights)
    assert ThresholdModel(columns).learn(queried, fails) == pytest.approx(expected, abs=2e-3)


def test_before_any_verdict_low_values_are_the_likelier_ones():
    found = ThresholdModel(normal_scores(1000)[:, None]).learn(*NOTHING)
    assert (np.diff(found) <= 1e-12).all()
    assert found[0] > 0.5 > found[500]
    assert 0 < found.min() < found.max() < 1


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_it_finds_the_place_and_the_indicator(share):
    n, rng = 2000, np.random.default_rng(1)
    telling = rng.permutation(normal_scores(n))
    columns = np.column_stack([rng.permutation(normal_scores(n)) for _ in range(3)] + [telling])
    truth = telling <= np.quantile(telling, share)
    ranked = np.argsort(telling)
    queried = np.unique(np.concatenate([ranked[:: n // 40], ranked[1 : int(2 * share * n) : int(20 * share + 3)]]))
    found = ThresholdModel(columns).learn(queried, truth[queried])
    rest = np.setdiff1d(np.arange(n), queried)
    hits = ((found > 0.5) & truth)[rest].sum()
    assert 2 * hits / ((found > 0.5)[rest].sum() + truth[rest].sum()) > 0.85


@pytest.mark.parametrize("fails", [True, False])
def test_one_kind_of_verdict_moves_the_place(fails):
    scores = normal_scores(1000)
    model = ThresholdModel(scores[:, None])
    before, after = model.learn(*NOTHING), model.learn(np.array([50, 100, 200]), np.full(3, fails))
    moved = after[150] - before[150]
    assert moved > 0.1 if fails else moved < -0.1


def test_a_token_that_answers_against_every_indicator_upsets_nothing():
    n = 1000
    model = ThresholdModel(normal_scores(n)[:, None])
    queried = np.arange(0, n, 25)
    fails = queried < 200
    stray = fails.copy()
    stray[-1] = True
    found, upset = model.learn(queried, fails), model.learn(queried, stray)
    assert ((found > 0.5) == (upset > 0.5)).mean() > 0.98
    assert 0 < upset.min() < upset.max() < 1
