"""Does a cluster hold more glitch tokens than any other set of tokens would? The test, and the sample it needs."""

from dataclasses import dataclass
from functools import cache

from scipy.stats import binom

from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings, KeepRule

_LARGEST_SAMPLE = 100_000
_PUBLIC_SHARE, _PUBLIC_LEAST, _PUBLIC_MOST = 0.1, 5, 50


@dataclass(frozen=True)
class SamplePlan:
    """How many tokens of a cluster are drawn, and from how many hits on it is kept."""

    n: int
    hits_needed: int
    stops_early: bool
    """Whether drawing ends once the verdict is certain; that changes no verdict, only the number of queries."""


def plan_sample(size: int, settings: GlitchHunterSettings) -> SamplePlan:
    """The plan for a cluster of `size` tokens."""
    if settings.keep is KeepRule.ONE_HIT:
        share = max(_PUBLIC_LEAST, int(min(_PUBLIC_SHARE * size, _PUBLIC_MOST)))
        return SamplePlan(min(share, size), 1, stops_early=False)
    n, needed = design_test(settings.base_rate, settings.cluster_rate, settings.alpha, settings.power)
    if size <= n:
        # The whole cluster is queried: its rate is known and nothing is left to infer.
        return SamplePlan(size, int(settings.base_rate * size) + 1, stops_early=True)
    return SamplePlan(n, needed, stops_early=True)


@cache
def design_test(base_rate: float, cluster_rate: float, alpha: float, power: float) -> tuple[int, int]:
    """The smallest sample and its critical number of hits: (n, c).

    Null hypothesis: the share of glitch tokens is at most `base_rate`; it is rejected at c hits or more. With exact
    binomial tails P(X >= c | base_rate) <= alpha and P(X >= c | cluster_rate) >= power. Drawing without replacement
    from a finite cluster only makes both errors smaller. Raises `ValueError` where no sample up to 100,000 does.
    """

    for n in range(1, _LARGEST_SAMPLE + 1):
        # isf: the smallest x with P(X > x) <= alpha.
        needed = int(binom.isf(alpha, n, base_rate)) + 1
        if needed <= n and float(binom.sf(needed - 1, n, cluster_rate)) >= power:
            return n, needed
    raise ValueError(f"no sample of {_LARGEST_SAMPLE} tells a rate of {cluster_rate} from {base_rate} that surely")


def error_rates(n: int, hits_needed: int, base_rate: float, cluster_rate: float) -> tuple[float, float]:
    """What a plan really does: P(kept | base rate) and P(kept | cluster rate)."""

    return float(binom.sf(hits_needed - 1, n, base_rate)), float(binom.sf(hits_needed - 1, n, cluster_rate))
