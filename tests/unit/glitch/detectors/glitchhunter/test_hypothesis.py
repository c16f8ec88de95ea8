"""The test of a cluster does what it says: error rates by simulation and against the tails of the binomial."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Rejected
from harness.glitch.detectors.glitchhunter import GlitchHunterSettings, KeepRule
from harness.glitch.detectors.glitchhunter.hypothesis import design_test, error_rates, plan_sample
from harness.runs.config.typed import to_dataclass

pytestmark = pytest.mark.unit


def tail(n: int, at_least: int, p: float) -> float:
    return sum(math.comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(at_least, n + 1))


@settings(max_examples=60, deadline=None)
@given(
    base=st.floats(0.0, 0.2, allow_subnormal=False),
    more=st.floats(0.15, 0.7, allow_subnormal=False),
    alpha=st.sampled_from([0.01, 0.05, 0.1]),
    power=st.sampled_from([0.8, 0.9, 0.95]),
)
def test_the_plan_keeps_both_promises_and_no_smaller_sample_does(base, more, alpha, power):
    rate = base + more
    n, needed = design_test(base, rate, alpha, power)
    assert tail(n, needed, base) <= alpha + 1e-9
    assert tail(n, needed, rate) >= power - 1e-9
    for smaller in range(1, n):
        critical = next((c for c in range(1, smaller + 1) if tail(smaller, c, base) <= alpha), None)
        assert critical is None or tail(smaller, critical, rate) < power + 1e-9


def test_a_base_rate_of_zero_means_that_one_hit_suffices():
    n, needed = design_test(0.0, 0.3, 0.05, 0.9)
    assert needed == 1
    assert n == math.ceil(math.log(0.1) / math.log(0.7))
    assert error_rates(n, needed, 0.0, 0.3) == (0.0, pytest.approx(1 - 0.7**n))


def test_the_default_plan_is_known():
    assert design_test(0.0433, 0.5, 0.05, 0.9) == (7, 2)


def test_clusters_no_larger_than_the_sample_are_asked_whole():
    parameters = GlitchHunterSettings()
    assert (plan_sample(7, parameters).n, plan_sample(8, parameters).n) == (7, 7)
    small = plan_sample(6, parameters)
    assert (small.n, small.hits_needed) == (6, 1), "one in six is more than the base rate"
    assert plan_sample(30, GlitchHunterSettings(base_rate=0.1, cluster_rate=0.15)).hits_needed == 4


@pytest.mark.parametrize(("size", "n"), [(3, 3), (5, 5), (49, 5), (60, 6), (400, 40), (900, 50)])
def test_the_public_rule_takes_a_tenth_at_least_5_at_most_50(size, n):
    plan = plan_sample(size, GlitchHunterSettings(keep=KeepRule.ONE_HIT))
    assert (plan.n, plan.hits_needed, plan.stops_early) == (n, 1, False)


def test_the_resolution_follows_the_size_of_the_graph_unless_told_not_to():
    assert GlitchHunterSettings().resolution_of(32_000) == 75.0
    assert GlitchHunterSettings().resolution_of(3_200) == pytest.approx(7.5)
    assert GlitchHunterSettings(scale_resolution=False).resolution_of(3_200) == 75.0


@pytest.mark.parametrize(
    ("key", "value"),
    [("k", 0), ("resolution", 0.0), ("n_components", -1), ("base_rate", 1.0), ("cluster_rate", 0.01), ("alpha", 0.0),
     ("power", 1.0), ("max_iterations", 0), ("leiden_iterations", 0), ("resolution", float("nan"))],
)  # fmt: skip
def test_impossible_settings_are_refused_by_name(key, value):
    with pytest.raises(Rejected, match=rf"exp\.{key}: got"):
        to_dataclass(GlitchHunterSettings, {key: value}, "exp.")


def test_kept_as_often_as_promised():
    rng = np.random.default_rng(0)
    n, needed = design_test(0.05, 0.3, 0.05, 0.9)
    for rate, low, high in ((0.05, 0.0, 0.055), (0.3, 0.885, 1.0)):
        kept = (rng.binomial(n, rate, size=20_000) >= needed).mean()
        assert low <= kept <= high
