"""Kaplan-Meier by hand, and percentile bootstrap."""

import numpy as np
import pytest

from harness.measure.bootstrap import bootstrap_difference, bootstrap_mean
from harness.measure.intervals import Method, student_t
from harness.measure.survival import survival

pytestmark = pytest.mark.unit

LASTED = np.array([1, 2, 2, 5, 9])
OUTLASTS = np.array([False, False, True, False, True])


def test_the_curve_by_hand() -> None:
    found = survival(LASTED, OUTLASTS)
    # 4 of 5; then 3 of 4; then, one of them out of sight, 1 of 2.
    assert found.time.tolist() == [1, 2, 5, 9]
    assert found.share == pytest.approx([4 / 5, 3 / 5, 3 / 10, 3 / 10])
    # Greenwood with the log-log transform at time 1: log(-log S) -+ 1.96 sqrt(1 / (5 * 4)) / log S.
    half = 1.959964 * np.sqrt(1 / 20) / np.log(0.8)
    ends = [np.exp(-np.exp(np.log(-np.log(0.8)) + sign * half)) for sign in (1, -1)]
    assert [found.low[0], found.high[0]] == pytest.approx(sorted(ends), abs=1e-5)
    median = found.median
    assert median is not None and (median.mean, median.low, median.high, median.n) == (5, 1, None, 5)


def test_taking_what_outlasts_the_observation_for_ended_shortens_it() -> None:
    median = survival(LASTED, np.zeros(5, dtype=bool)).median
    assert median is not None and median.mean == 2


def test_where_more_than_half_outlast_the_observation_there_is_no_median() -> None:
    assert survival(np.array([3, 7, 7]), np.array([False, True, True])).median is None
    all_on = survival(np.array([7, 7]), np.array([True, True]))
    assert all_on.share.tolist() == [1.0] and np.isnan(all_on.low).all() and all_on.median is None


def test_all_end_at_once_and_one_alone() -> None:
    median = survival(np.array([3]), np.array([False])).median
    assert median is not None and (median.mean, median.low, median.high) == (3, None, None)
    assert survival(np.array([3, 3]), np.array([False, False])).share.tolist() == [0.0]
    with pytest.raises(ValueError, match="at least one"):
        survival(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool))


def test_a_bootstrap_mean_is_near_students_and_the_same_for_the_same_seed() -> None:
    values = np.random.default_rng(0).normal(size=200)
    found, expected = bootstrap_mean(values, 1), student_t(values)
    assert found.mean == pytest.approx(expected.mean) and found.method is Method.BOOTSTRAP and found.n == 200
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high], abs=0.02)
    assert bootstrap_mean(values, 1) == found != bootstrap_mean(values, 2)


def test_a_difference_is_the_first_minus_the_second() -> None:
    found = bootstrap_difference(np.array([5.0, 6.0, 7.0]), np.array([1.0, 1.0, 2.0, 0.0]), 0)
    assert found.mean == 5 and found.n == 3 and found.low is not None and found.high is not None
    assert 3 < found.low < 5 < found.high < 7
    assert bootstrap_difference(np.array([5.0]), np.array([1.0, 2.0]), 0).low is None
    assert bootstrap_mean(np.array([5.0]), 0).low is None


@pytest.mark.parametrize("call", [
    lambda none: bootstrap_mean(none, 0), lambda none: bootstrap_difference(none, np.ones(2), 0),
])  # fmt: skip
def test_no_values_have_no_mean(call) -> None:
    with pytest.raises(ValueError, match="at least one"):
        call(np.zeros(0))
