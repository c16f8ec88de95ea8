import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.intervals import Method, wilson
from harness.measure.stratified import StratifiedSample, draw_stratified, weighted_share

pytestmark = pytest.mark.unit


def drawn(labels, n, seed=0, least=10):
    return draw_stratified(labels, n, np.random.default_rng(seed), least)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.data())
def test_weights_stand_for_the_whole_and_every_stratum_is_there(sizes, data):
    labels = [name for name, size in enumerate(sizes) for _ in range(size)]
    n = data.draw(st.integers(1, len(labels)))
    sample = drawn(labels, n, least=2)
    assert len(sample.places) == len(set(sample.places.tolist())) == n
    assert (np.diff(sample.places) > 0).all()
    if n >= sum(min(size, 2) for size in sizes):
        assert sample.weight.sum() == pytest.approx(len(labels))
        for name, size in enumerate(sizes):
            inside = sample.stratum == name
            assert inside.sum() >= min(size, 2)
            assert sample.weight[inside].sum() == pytest.approx(size)


def test_small_strata_are_not_left_out():
    sample = drawn(["a"] * 990 + ["b"] * 10, 100)
    assert (sample.stratum == 1).sum() == 10
    assert sample.weight[sample.stratum == 1].tolist() == [1.0] * 10
    assert sample.weight[sample.stratum == 0][0] == pytest.approx(990 / 90)


@pytest.mark.parametrize("n", [0, 4])
def test_impossible_sizes(n):
    with pytest.raises(ValueError, match="of 3 units"):
        drawn(["a"] * 3, n)


def test_a_share_by_hand():
    """Strata of 80 and 20; of 8 and 4 asked 2 and 3 hit: 0.8 * 2/8 + 0.2 * 3/4 = 0.35."""
    stratum = np.array([0] * 8 + [1] * 4)
    weight = np.where(stratum == 0, 10.0, 5.0)
    sample = StratifiedSample(np.arange(12), stratum, weight, np.array([80, 20]))
    hits = np.array([True] * 2 + [False] * 6 + [True] * 3 + [False])
    found = weighted_share(sample, hits)
    assert found.mean == pytest.approx(0.35)
    assert found.method is Method.WILSON_STRATIFIED
    # Cochran: 0.64 * 0.9 * (0.25 * 0.75) / 7 + 0.04 * 0.8 * (0.75 * 0.25) / 3 = 0.017429; 0.35 * 0.65 / that = 13.05.
    assert found.low == pytest.approx(0.1541, abs=1e-4)
    assert found.high == pytest.approx(0.6141, abs=1e-4)


def test_one_stratum_is_about_wilson():
    sample = drawn(["a"] * 100_000, 200)
    hits = np.arange(200) < 30
    by_hand = wilson(30, 200)
    found = weighted_share(sample, hits)
    assert found.mean == by_hand.mean
    assert (found.low, found.high) == (pytest.approx(by_hand.low, abs=1e-3), pytest.approx(by_hand.high, abs=1e-3))


def test_no_hits_leave_an_upper_end_and_a_whole_has_no_error():
    none = weighted_share(drawn(["a"] * 100 + ["b"] * 50, 60), np.zeros(60, dtype=bool))
    assert none.mean == none.low == 0
    assert 0.03 < none.high < 0.1
    every = weighted_share(drawn(["a"] * 6 + ["b"] * 4, 10), np.arange(10) < 3)
    assert (every.mean, every.low, every.high) == (0.3, 0.3, 0.3)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    truth = rng.random(1000) < np.repeat([0.05, 0.3, 0.8], [600, 300, 100])
    inside = 0
    for seed in range(300):
        sample = drawn(labels.tolist(), 120, seed)
        found = weighted_share(sample, truth[sample.places])
        inside += found.low <= truth.mean() <= found.high
    assert 0.92 <= inside / 300 <= 0.99
