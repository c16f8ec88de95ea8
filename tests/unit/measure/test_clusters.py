"""Shares over clusters of unequal size, and shares asked of the same items twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.compare import paired_difference, proportion_difference
from harness.measure.intervals import ClusterSums, Method, wilson, wilson_clustered, wilson_ratio

pytestmark = pytest.mark.unit


class TestWilsonRatio:
    def test_equal_sizes_agree_with_the_interval_for_equal_sizes(self):
        hits, size = np.array([0, 3, 1, 5, 2]), 10
        ours = wilson_ratio(ClusterSums.of(hits, np.full(5, size)))
        theirs = wilson_clustered(hits / size, size)
        assert (ours.mean, ours.low, ours.high) == pytest.approx((theirs.mean, theirs.low, theirs.high))

    def test_variance_by_hand(self):
        # p = 3/10; residuals 0.1, 0.4, -0.5: 0.42 / (3*2) / (10/3)^2 = 0.0063; effective 0.21 / 0.0063 = 33.3 > 10.
        interval = wilson_ratio(ClusterSums.of(np.array([1, 1, 1]), np.array([3, 2, 5])))
        assert interval.mean == pytest.approx(0.3)
        assert interval.n == 3
        assert interval.low is not None and interval.low < 0.1

    def test_one_document_full_of_hits_widens_it(self):
        together = wilson_ratio(ClusterSums.of(np.array([50, *[0] * 9]), np.full(10, 100)))
        apart = wilson_ratio(ClusterSums.of(np.array([4, 6] * 5), np.full(10, 100)))
        assert together.high - together.low > 2 * (apart.high - apart.low) > 0

    def test_none_hit_and_one_cluster_and_nothing(self):
        none = wilson_ratio(ClusterSums.of(np.zeros(20, dtype=int), np.full(20, 7)))
        assert none.low == 0 and 0 < none.high < 0.3
        assert wilson_ratio(ClusterSums.of(np.array([1]), np.array([4]))).method is Method.NONE
        with pytest.raises(ValueError, match="0 trials"):
            wilson_ratio(ClusterSums())

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20), st.integers(0, 20))
    def test_sums_of_parts_are_the_sums_of_the_whole(self, pairs, cut):
        hits = np.array([min(pair) for pair in pairs])
        trials = np.array([max(pair) for pair in pairs])
        whole = ClusterSums.of(hits, trials)
        assert ClusterSums.of(hits[:cut], trials[:cut]) + ClusterSums.of(hits[cut:], trials[cut:]) == whole
        if whole.trials:
            interval = wilson_ratio(whole)
            assert interval.low is None or 0 <= interval.low <= interval.mean <= interval.high <= 1


class TestPairedDifference:
    def test_by_hand(self):
        # 32/50 against 22/50; Wilson [.5014, .7586] and [.3116, .5769]; phi = (20*16 - 12*2 - 25)/sqrt(32*18*22*28).
        found = paired_difference(20, 12, 2, 16)
        a, b = wilson(32, 50), wilson(22, 50)
        phi = 271 / np.sqrt(32 * 18 * 22 * 28)
        down, up = a.mean - a.low, b.high - b.mean
        assert found.mean == pytest.approx(0.2)
        assert found.low == pytest.approx(0.2 - np.sqrt(down**2 - 2 * phi * down * up + up**2))
        assert 0 < found.low < 0.2 < found.high < 0.4

    def test_nothing_changed_is_no_difference(self):
        found = paired_difference(5, 0, 0, 995)
        assert found.mean == 0
        assert found.low < 0 < found.high
        assert found.high < 0.01

    def test_shorter_than_for_independent_samples_where_items_agree(self):
        paired = paired_difference(40, 5, 1, 54)
        independent = proportion_difference(wilson(45, 100), wilson(41, 100))
        assert paired.high - paired.low < 0.7 * (independent.high - independent.low)

    @given(*[st.integers(0, 60)] * 4)
    def test_swapping_sides_mirrors_it(self, both, only_a, only_b, neither):
        if both + only_a + only_b + neither < 2:
            return
        there = paired_difference(both, only_a, only_b, neither)
        back = paired_difference(both, only_b, only_a, neither)
        assert there.mean == pytest.approx(-back.mean)
        assert there.low == pytest.approx(-back.high)
        assert -1.0000001 <= there.low <= there.mean <= there.high <= 1.0000001

    def test_no_items(self):
        with pytest.raises(ValueError, match="paired counts"):
            paired_difference(0, 0, 0, 0)
