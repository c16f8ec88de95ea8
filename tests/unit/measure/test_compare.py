"""Differences between pools: known answers, and tests that reject no more often than they say."""

import numpy as np
import pytest

from harness.measure.compare import difference, difference_by_token, permutation_p_value, proportion_difference
from harness.measure.intervals import Method, wilson_clustered

pytestmark = pytest.mark.unit


def test_welch_by_hand() -> None:
    # Variances 1 and 4 over 3 each: error sqrt(5/3), df = (5/3)^2 / ((1/3)^2/2 + (4/3)^2/2) = 2.941.
    found = difference(np.array([1.0, 2.0, 3.0]), np.array([4.0, 6.0, 8.0]))
    assert found.mean == -4
    # t(2.941) = 3.2201 for 95 %.
    assert found.high == pytest.approx(-4 + 3.2201 * (5 / 3) ** 0.5, abs=2e-3)
    assert found.method is Method.WELCH_T


def test_one_sequence_has_neither_interval_nor_test() -> None:
    one, many = np.array([1.0]), np.array([1.0, 2.0, 3.0])
    assert difference(one, many).low is None
    assert permutation_p_value(one, many, seed=0) is None


def test_permutation_of_a_clear_difference() -> None:
    a, b = np.arange(6.0), np.arange(6.0) + 100
    # 2 of the 924 splits are as extreme: 0.0022.
    assert permutation_p_value(a, b, seed=0) == pytest.approx(2 / 924, abs=0.0015)
    assert permutation_p_value(a, b, seed=0) == permutation_p_value(a, b, seed=0)


def test_permutation_of_nothing_and_of_constants() -> None:
    same = np.array([1.0, 1.0, 1.0, 1.0])
    assert permutation_p_value(same, same, seed=0) == 1.0
    p_value = permutation_p_value(np.zeros(8), np.full(8, 0.1), seed=0)
    assert p_value is not None and p_value < 0.001


def test_permutation_of_few_sequences_goes_through_every_relabelling() -> None:
    assert permutation_p_value(np.arange(4.0), np.arange(4.0) + 100, seed=0) == 2 / 70


def test_constant_sides_have_an_interval_and_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    found = difference(np.full(5, 0.25), np.full(3, 0.5))
    assert found.low == found.mean == found.high == -0.25
    found = difference(np.full(5, 0.1), np.arange(5.0))
    assert found.low is not None and found.low < found.mean == pytest.approx(-1.9)
    assert not recwarn.list


def test_permutation_rejects_equal_means_one_time_in_twenty_even_with_unequal_spread() -> None:
    rng = np.random.default_rng(0)
    p_values = [
        permutation_p_value(rng.normal(0, 1, 24), rng.normal(0, 5, 8), seed=i, n_permutations=199) for i in range(400)
    ]
    # A statistic without the spread would reject about 20 % here.
    assert 0.02 <= np.mean([p is not None and p <= 0.05 for p in p_values]) <= 0.085


def test_proportions_at_the_ends_keep_an_interval() -> None:
    nothing, everything = wilson_clustered(np.zeros(20), 25), wilson_clustered(np.ones(20), 25)
    found = proportion_difference(nothing, everything)
    assert found.mean == found.low == -1
    assert found.high is not None and nothing.high is not None
    assert found.high == pytest.approx(-1 + 2**0.5 * nothing.high)
    assert proportion_difference(wilson_clustered(np.zeros(1), 25), everything).low is None


def test_difference_by_token_is_wider_where_tokens_differ() -> None:
    rng = np.random.default_rng(1)
    tokens = np.repeat(np.arange(10), 50)
    a = rng.normal(0, 1, 10)[tokens] + rng.normal(0, 0.1, 500)
    b = 3 + rng.normal(0, 1, 10)[tokens] + rng.normal(0, 0.1, 500)
    by_token = difference_by_token(a, tokens, b, tokens + 100, seed=0)
    by_item = difference(a, b)
    assert by_token.mean == pytest.approx(by_item.mean)
    assert by_token.n == 10
    assert by_token.low is not None and by_token.high is not None
    assert by_item.low is not None and by_item.high is not None
    assert (by_token.high - by_token.low) > 3 * (by_item.high - by_item.low)
    assert difference_by_token(a[:50], tokens[:50], b, tokens, seed=0).low is None
