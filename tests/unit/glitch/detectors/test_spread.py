"""An order that is spread over the ranks wherever it is cut off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.glitch.detectors.spread import spread_order

pytestmark = pytest.mark.unit


def ranks_of(scores, order):
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return ranks[order]


@given(
    scores=st.lists(st.one_of(st.floats(-5, 5), st.sampled_from([0.0, 1.0, np.nan])), min_size=1, max_size=200),
    seed=st.integers(0, 5),
)
def test_every_token_comes_once(scores, seed):
    order = spread_order(np.array(scores), np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(scores)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_drawn", [20, 100, 500])
def test_any_beginning_meets_frequent_and_rare_alike(n_drawn, seed):
    n = 10_000
    scores = np.random.default_rng(seed).normal(size=n)
    drawn = ranks_of(scores, spread_order(scores, np.random.default_rng(seed)))[:n_drawn]
    # The even half: every stretch of 6 / n_drawn of all ranks is met.
    gaps = np.diff(np.sort(np.concatenate([[0], drawn, [n]])))
    assert gaps.max() <= 6 * n / n_drawn
    # The other: about as many among ranks 10 to 100 as among 100 to 1000 (repeats apart).
    tens, hundreds = ((drawn >= low).sum() - (drawn >= 10 * low).sum() for low in (10, 100))
    assert tens >= n_drawn / 10 - 3
    assert hundreds >= n_drawn / 10 - 1


def test_the_scores_alone_decide_and_another_seed_shifts():
    scores = np.random.default_rng(0).normal(size=300)
    first, again, other = (spread_order(scores, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    moved = spread_order(scores[::-1], np.random.default_rng(0))
    assert (299 - moved).tolist() == first.tolist(), "which tokens they are makes no difference"
    assert spread_order(3 * scores - 1, np.random.default_rng(0)).tolist() == first.tolist(), "ranks are what counts"
