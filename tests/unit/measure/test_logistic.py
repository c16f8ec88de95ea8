"""Logistic regression against closed forms, against another implementation's numbers, and where there is none."""

import numpy as np
import pytest
from scipy.special import expit

from harness.measure.intervals import Method, t_quantile
from harness.measure.logistic import NoEstimate, fit_logistic, variance_inflation

pytestmark = pytest.mark.unit


def half(interval, df):
    """The standard error behind an interval."""
    return (interval.high - interval.low) / 2 / t_quantile(df)


def test_a_table_of_two_by_two_by_hand():
    # 12 of 20 against 6 of 24: log-odds log(12/8) and log(6/18), their difference log(12*18 / (8*6)) = log 4.5.
    x = np.repeat([1.0, 0.0], [20, 24])[:, None]
    y = np.concatenate([np.ones(12), np.zeros(8), np.ones(6), np.zeros(18)]).astype(int)
    found = fit_logistic(x, y, np.ones(44, dtype=int), np.arange(44))
    assert found.intercept.mean == pytest.approx(np.log(6 / 18))
    (slope,) = found.coefficients
    assert slope.mean == pytest.approx(np.log(4.5))
    # Woolf's variance, times 44 / 42.
    assert half(slope, 42) == pytest.approx(np.sqrt((1 / 12 + 1 / 8 + 1 / 6 + 1 / 18) * 44 / 42))
    assert (slope.n, slope.method) == (44, Method.SANDWICH_T)


def test_numbers_of_another_implementation():
    """statsmodels 0.15.0, GLM(Binomial).fit(cov_type="cluster", use_correction=False), errors times sqrt(7 / 4)."""
    x = np.array([[0, 1], [1, 0], [2, 1], [3, 0], [4, 1], [5, 1], [6, 0], [7, 1]], dtype=float)
    successes = np.array([0, 1, 0, 1, 2, 1, 3, 3])
    found = fit_logistic(x, successes, np.full(8, 3), np.array([0, 1, 2, 3, 4, 5, 6, 6]))
    terms = (found.intercept, *found.coefficients)
    assert [term.mean for term in terms] == pytest.approx([-2.61187167, 0.94247762, -1.65126513])
    assert [half(term, 4) for term in terms] == pytest.approx([1.32661681, 0.33173285, 1.25831403])
    assert (found.deviance, found.null_deviance) == pytest.approx((4.548408207669258, 17.827864522061773))
    assert found.explained == pytest.approx(1 - 4.548408207669258 / 17.827864522061773)


def random_rows(seed, n=60):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    return x, rng.binomial(1, expit(x @ np.array([1.0, -0.5]))).astype(int)


def test_what_a_token_says_three_times_is_said_once():
    """Appearances that always agree add nothing: neither estimate nor interval may move."""
    x, y = random_rows(0)
    once = fit_logistic(x, y, np.ones(60, dtype=int), np.arange(60))
    summed = fit_logistic(x, 3 * y, np.full(60, 3), np.arange(60))
    apart = fit_logistic(np.repeat(x, 3, axis=0), np.repeat(y, 3), np.ones(180, dtype=int), np.repeat(np.arange(60), 3))
    for other in (summed, apart):
        for mine, theirs in zip(once.coefficients, other.coefficients, strict=True):
            assert (theirs.mean, theirs.low, theirs.high) == pytest.approx((mine.mean, mine.low, mine.high))
    # Each taken for a token of its own they would look surer by about sqrt(3).
    wrong = fit_logistic(np.repeat(x, 3, axis=0), np.repeat(y, 3), np.ones(180, dtype=int), np.arange(180))
    assert half(wrong.coefficients[0], 177) == pytest.approx(half(once.coefficients[0], 57) / np.sqrt(3), rel=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Trials of one token share a push of their own, which the binomial spread knows nothing of."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(150, 1))
    inside = 0
    for _ in range(300):
        chance = np.where(rng.random(150) < 0.5, 0.0, 1.0)
        share = expit(1.0 * x[:, 0])
        # With probability a half all six trials go one way: the mean stays the share.
        together = np.where(rng.random(150) < share, 6, 0)
        hits = np.where(chance == 1, together, rng.binomial(6, share))
        (slope,) = fit_logistic(x, hits, np.full(150, 6), np.arange(150)).coefficients
        inside += slope.low < 1.0 < slope.high
    assert 0.91 < inside / 300 < 0.985


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        ([0, 1, 2, 3], [0, 0, 0, 0], "no trial succeeds"),
        ([0, 1, 2, 3], [2, 2, 2, 2], "every trial succeeds"),
        ([0, 1, 2, 3], [0, 0, 2, 2], "without a mistake"),
        # Told apart but for a tie on the border.
        ([0, 1, 1, 3], [0, 0, 2, 2], "without a mistake"),
        ([0, 1, 1, 3], [0, 1, 1, 2], "without a mistake"),
        ([5, 5, 5, 5], [0, 1, 1, 2], "a sum of others"),
    ],
)
def test_where_there_is_no_estimate_it_says_why(x, y, why):
    with pytest.raises(NoEstimate, match=why):
        fit_logistic(np.array(x, dtype=float)[:, None], np.array(y), np.full(4, 2), np.arange(4))


def test_a_group_without_a_success_beside_a_slope_has_no_estimate():
    x = np.array([[0, 0], [1, 0], [2, 0], [1, 1], [2, 1]], dtype=float)
    with pytest.raises(NoEstimate, match="without a mistake"):
        fit_logistic(x, np.array([1, 1, 2, 0, 0]), np.full(5, 3), np.arange(5))


def test_too_few_tokens_and_columns_that_repeat_one_another():
    x, y = random_rows(1)
    with pytest.raises(NoEstimate, match="3 tokens are too few for 3 coefficients"):
        fit_logistic(x, y, np.ones(60, dtype=int), np.arange(60) % 3)
    with pytest.raises(NoEstimate, match="a sum of others"):
        fit_logistic(np.column_stack([x, x[:, 0] - 2 * x[:, 1]]), y, np.ones(60, dtype=int), np.arange(60))


def test_columns_counted_in_other_units_give_the_same_answer():
    x, y = random_rows(2)
    ones, clusters = np.ones(60, dtype=int), np.arange(60)
    small, large = fit_logistic(x, y, ones, clusters), fit_logistic(x * [1e-6, 1e6], y, ones, clusters)
    assert [term.mean for term in large.coefficients] == pytest.approx(
        [small.coefficients[0].mean * 1e6, small.coefficients[1].mean * 1e-6]
    )


def test_variance_inflation_by_hand():
    # Correlation 0.6: 1 / (1 - 0.36).
    a = np.array([1.0, 1, -1, -1])
    b = 0.6 * a + 0.8 * np.array([1.0, -1, 1, -1])
    assert variance_inflation(np.stack([a, b], axis=1)) == pytest.approx([1.5625, 1.5625])
    assert variance_inflation(a[:, None]) == pytest.approx([1.0])
    assert variance_inflation(np.stack([a, 2 * a + 1], axis=1)) == [None, None]
