"""Tokens crossed with draws: means, ratios and their intervals."""

import numpy as np
import pytest

from harness.measure.bootstrap import bootstrap_mean
from harness.measure.intervals import Method
from harness.measure.pigeonhole import Pigeonhole, per_token

pytestmark = pytest.mark.unit

NAN = float("nan")


def width(interval) -> float:
    return interval.high - interval.low


def test_means_are_over_tokens_of_what_was_asked():
    values = np.array([[1.0, 3.0], [NAN, 6.0], [NAN, NAN]])
    found = Pigeonhole.of(3, 2, seed=0).mean(values)
    assert found.mean == 4.0
    assert found.n == 2
    assert found.method is Method.PIGEONHOLE
    np.testing.assert_array_equal(per_token(values), [2.0, 6.0, NAN])


def test_a_ratio_is_of_sums():
    above, below = np.array([[1.0, 1.0], [2.0, 4.0]]), np.array([[2.0, 2.0], [4.0, 8.0]])
    found = Pigeonhole.of(2, 2, seed=0).ratio(above, below)
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)


def test_a_single_token_has_no_ends_and_nothing_is_an_error():
    resampled = Pigeonhole.of(1, 2, seed=0)
    found = resampled.mean(np.array([[1.0, 2.0]]))
    assert (found.mean, found.low, found.high) == (1.5, None, None)
    with pytest.raises(ValueError, match="nothing was asked"):
        resampled.mean(np.array([[NAN, NAN]]))
    with pytest.raises(ValueError, match="a ratio to 0"):
        resampled.ratio(np.array([[1.0, 2.0]]), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="0 tokens"):
        Pigeonhole.of(0, 1, seed=0)


def test_without_draws_only_tokens_are_resampled():
    values = np.random.default_rng(0).normal(size=40)
    alone = bootstrap_mean(values, seed=0)
    found = Pigeonhole.of(40, 4, seed=0).mean(values[:, None])
    assert width(found) == pytest.approx(width(alone), rel=0.05)


def test_what_all_tokens_of_a_draw_share_is_seen():
    # An interval over tokens' means alone misses what a draw does to all of them.
    rng = np.random.default_rng(0)
    draws = rng.normal(size=5)
    values = 0.1 * rng.normal(size=(40, 5)) + draws
    naive = bootstrap_mean(per_token(values), seed=0)
    found = Pigeonhole.of(40, 5, seed=0).mean(values)
    spread = draws.std() / 5**0.5
    assert width(naive) < 0.3 * spread
    assert width(found) == pytest.approx(2 * 1.96 * spread, rel=0.25)


def test_intervals_hold_the_truth_where_both_vary():
    rng, held, resampled = np.random.default_rng(1), 0, Pigeonhole.of(30, 8, seed=0)
    for _ in range(200):
        values = rng.normal(size=(30, 1)) + 0.5 * rng.normal(size=(1, 8)) + rng.normal(size=(30, 8))
        found = resampled.mean(values)
        held += found.low <= 0 <= found.high
    assert held / 200 > 0.9
