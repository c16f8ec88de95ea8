"""Ratios with percentile bootstrap intervals."""

import numpy as np
import pytest

from harness.measure.bootstrap import bootstrap_ratio

pytestmark = pytest.mark.unit


def test_ratio_of_sums_is_resampled_by_unit():
    denominator = np.arange(1.0, 21.0)
    exact = bootstrap_ratio(0.25 * denominator, denominator, seed=0)
    assert (exact.mean, exact.low, exact.high) == pytest.approx((0.25, 0.25, 0.25))
    rng = np.random.default_rng(0)
    noisy = bootstrap_ratio(0.25 * denominator + rng.normal(size=20), denominator, seed=0)
    assert noisy.low < noisy.mean < noisy.high
    assert bootstrap_ratio(np.ones(1), np.full(1, 4.0), seed=0).low is None
    with pytest.raises(ValueError, match="a ratio to 0"):
        bootstrap_ratio(np.ones(2), np.array([1.0, -1.0]), seed=0)
    with pytest.raises(ValueError, match="a ratio needs at least one value"):
        bootstrap_ratio(np.ones(0), np.ones(0), seed=0)
