"""Every parameter of GlitchHunter, its default and where the default comes from.

"Public code" is the only public implementation, baseline_code/GlitchHunter/GlitchHunter.py in wooozihui/GlitchMiner
@77cf15b: a reproduction by others, which uses Louvain where the paper (Li et al., FSE 2024, arXiv 2404.09894) says
Leiden and does not run to its end. Of the paper's own values none is known but the edge rule and rho.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from harness.constraints import Count, Probability, must_be
from harness.errors import FieldRejected
from harness.glitch.graph.choices import LeidenLibrary, Metric

_TOKENS_OF_LLAMA_2 = 32_000


class KeepRule(Enum):
    """When a cluster goes on to the next graph."""

    HYPOTHESIS_TEST = "hypothesis_test"
    """Its sample rejects "at most `base_rate` of its tokens are glitch tokens"."""
    ONE_HIT = "one_hit"
    """Public code: one glitch token in a sample of a tenth of the cluster, at least 5 and at most 50 tokens."""


@dataclass(frozen=True)
class GlitchHunterSettings:
    """How a hunt proceeds."""

    k: Count = 50
    """Neighbours of every token. Public code; the paper's value is unknown. Clamped where fewer tokens are left."""
    resolution: Annotated[float, must_be("a number above 0", lambda value: value > 0)] = 75.0
    """Resolution of the communities. Public code (for Louvain); the paper's Leiden resolution is unknown."""
    scale_resolution: bool = True
    """Take `resolution` as that of 32,000 tokens and scale it with the tokens in the graph, so that communities of a
    small vocabulary are as large as those the public value gives for Llama 2's. Ours; the public code uses one value
    for every graph, which breaks small ones into single tokens."""
    n_components: Annotated[int, must_be("0 (the rows themselves) or more", lambda n: n >= 0)] = 50
    """Principal components neighbours are found in, fitted to the tokens that are left; 0: the rows themselves.
    Public code; whether the paper reduces at all is unknown."""
    metric: Metric = Metric.EUCLIDEAN
    """Public code (scanpy's default); the paper's distance is unknown."""
    library: LeidenLibrary = LeidenLibrary.IGRAPH
    """Both reach the same quality within 1 %; igraph's is many times faster. The paper's library is unknown."""
    leiden_iterations: Annotated[int, must_be("-1 or 1 or more", lambda n: n == -1 or n >= 1)] = 2
    """Passes of Leiden; -1: until nothing improves. leidenalg's default; the paper's value is unknown."""
    keep: KeepRule = KeepRule.HYPOTHESIS_TEST
    """The paper tests a hypothesis; which one, and how, is unknown: the one here is ours."""
    base_rate: Annotated[float, must_be("a share from 0 to below 1", lambda rate: 0 <= rate < 1)] = 0.0433
    """Null hypothesis: at most this share of a cluster are glitch tokens. The paper found 7,895 among 182,517."""
    cluster_rate: float = 0.5
    """The share from which on a cluster must be noticed with probability `power`. Ours; the paper's is unknown."""
    alpha: Probability = 0.05
    """How often a cluster at the base rate may be kept by mistake. Ours; the paper's is unknown."""
    power: Probability = 0.9
    """How often a cluster at `cluster_rate` must be kept. Ours; the paper's is unknown."""
    max_iterations: Count = 20
    """Graphs at most. Ours: paper and public code stop when nothing changes any more, which comes much sooner."""

    def resolution_of(self, n_tokens: int) -> float:
        """The resolution for a graph of `n_tokens`."""
        return self.resolution * n_tokens / _TOKENS_OF_LLAMA_2 if self.scale_resolution else self.resolution

    def __post_init__(self) -> None:
        if not self.base_rate < self.cluster_rate <= 1:
            raise FieldRejected.key("cluster_rate", self.cluster_rate, f"a share above base_rate ({self.base_rate})")
