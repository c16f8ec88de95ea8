"""Differences between pools: known answers, and tests that reject no more often than they say."""

import numpy as np
import pytest

from harness.measure.compare import least_p_value, permutation_p_value, proportion_difference
from harness.measure.intervals import wilson_clustered

pytestmark = pytest.mark.unit


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


def test_one_sequence_has_no_test() -> None:
    assert permutation_p_value(np.array([1.0]), np.array([1.0, 2.0, 3.0]), seed=0) is None


def test_the_floor_of_a_p_value_is_what_clearly_different_samples_get() -> None:
    a, b = np.arange(20.0), np.arange(20.0) + 100
    assert permutation_p_value(a, b, seed=0) == least_p_value()
    assert permutation_p_value(a, a + 0.1, seed=0) > least_p_value()
