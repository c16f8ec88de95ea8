"""Intervals against textbook numbers, and what must hold of every interval."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.intervals import (
    Method,
    student_t,
    student_t_columns,
    wilson,
    wilson_clustered,
)

pytestmark = pytest.mark.unit


def test_student_t_by_hand() -> None:
    # 1, 2, 3, 4: mean 2.5, s = 1.290994, t(3) = 3.182446.
    found = student_t(np.array([1.0, 2.0, 3.0, 4.0]))
    half = 3.182446 * 1.290994 / 2
    assert (found.mean, found.n, found.method) == (2.5, 4, Method.STUDENT_T)
    assert (found.low, found.high) == (pytest.approx(2.5 - half, abs=1e-5), pytest.approx(2.5 + half, abs=1e-5))
    assert found.metrics("unused/copy_gain") == {
        "unused/copy_gain": 2.5,
        "unused/copy_gain/ci_low": found.low,
        "unused/copy_gain/ci_high": found.high,
    }


def test_one_value_has_no_interval() -> None:
    for found in (
        student_t(np.array([3.0])),
        wilson(1, 1),
        wilson_clustered(np.array([0.5]), 25),
    ):
        assert (found.low, found.high, found.method) == (None, None, Method.NONE)
    assert np.isnan(student_t_columns(np.ones((1, 2)))[1]).all()


def test_columns_are_the_columns_one_by_one() -> None:
    values = np.random.default_rng(0).normal(size=(6, 3))
    mean, low, high = student_t_columns(values)
    for column in range(3):
        one = student_t(values[:, column])
        # Sums over a column of several and over one alone may be taken in another order.
        assert [mean[column], low[column], high[column]] == pytest.approx([one.mean, one.low, one.high], rel=1e-12)


def test_student_t_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(800):
        found = student_t(rng.normal(5, 2, size=5))
        assert found.low is not None and found.high is not None
        hits += found.low <= 5 <= found.high
    assert 0.93 <= hits / 800 <= 0.97


def test_wilson_by_hand() -> None:
    # No success in 10 trials: high = z^2 / (n + z^2) = 3.8415 / 13.8415.
    found = wilson(0, 10)
    assert (found.low, found.high) == (0.0, pytest.approx(0.27753, abs=1e-4))
    half = wilson(5, 10)
    assert (half.low, half.high) == (pytest.approx(0.23659, abs=1e-4), pytest.approx(0.76341, abs=1e-4))


@given(st.lists(st.integers(0, 8), min_size=2, max_size=30))
@settings(max_examples=100, deadline=None)
def test_clustered_wilson_holds_its_mean_within_zero_and_one(successes: list[int]) -> None:
    found = wilson_clustered(np.array(successes) / 8, 8)
    assert found.low is not None and found.high is not None
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.low < found.high


def test_all_right_or_all_wrong_is_no_point() -> None:
    nothing, everything = wilson_clustered(np.zeros(64), 25), wilson_clustered(np.ones(64), 25)
    assert (nothing.low, everything.high) == (0.0, 1.0)
    # t(63)^2 / (64 + t(63)^2) with t(63) = 1.998341: each sequence counts as one trial.
    assert nothing.high == pytest.approx(0.05873, abs=1e-4)
    assert everything.low == pytest.approx(1 - 0.05873, abs=1e-4)


def test_clusters_that_move_as_one_count_as_one_trial_each() -> None:
    split = wilson_clustered(np.array([0.0, 1.0] * 20), 25)
    mixed = wilson_clustered(np.random.default_rng(0).binomial(25, 0.5, size=40) / 25, 25)
    assert split.low is not None and split.high is not None and mixed.low is not None and mixed.high is not None
    # About 39 trials against about 1,000: sqrt(1000 / 39) = 5 times as wide.
    assert (split.high - split.low) / (mixed.high - mixed.low) > 3.5


def test_clustered_wilson_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    for truth, spread in ((0.05, 2.0), (0.5, 4.0), (0.95, 20.0)):
        hits = 0
        for _ in range(400):
            rates = rng.beta(truth * spread, (1 - truth) * spread, size=40)
            found = wilson_clustered(rng.binomial(25, rates) / 25, 25)
            assert found.low is not None and found.high is not None
            hits += found.low <= truth <= found.high
        assert hits / 400 >= 0.9


@pytest.mark.parametrize("bad", [lambda: wilson(3, 2), lambda: wilson(0, 0), lambda: student_t(np.array([]))])
def test_nothing_has_no_mean(bad: object) -> None:
    with pytest.raises(ValueError):
        bad()  # type: ignore[operator]


def test_values_are_averaged_in_double() -> None:
    values = np.full(10_000, 0.1, dtype=np.float32)
    assert math.isclose(student_t(values).mean, float(np.float32(0.1)), rel_tol=1e-12)


def test_what_is_not_measured_is_no_sample() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan], [np.nan, 4.0, np.nan], [5.0, 6.0, 7.0]])
    mean, low, high = student_t_columns(values)
    assert mean.tolist() == [3, 4, 7]
    expected = student_t(np.array([2.0, 4.0, 6.0]))
    assert (low[1], high[1]) == pytest.approx((expected.low, expected.high))
    assert np.isnan(low[2]) and np.isnan(high[2])
    assert all(np.isnan(ends[0]) for ends in student_t_columns(np.array([[np.nan], [np.nan]])))
