"""Every parameter of every detector, its default and where the default comes from.

"unknown" means: looked for in the sources and not found; the value is then ours. Settings of GlitchHunter are in
`harness.glitch.detectors.glitchhunter.settings`.
"""

from dataclasses import dataclass, field
from typing import Annotated

from harness.constraints import Count, Share, Whole, must_be
from harness.errors import FieldRejected
from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings


@dataclass(frozen=True)
class RuleRandomSettings:
    """Rule-based random sampling, the baseline of Zhang et al. 2024 (GlitchProber, arXiv 2408.04905)."""

    share: Share = 0.5
    """Of the vocabulary that is drawn. Paper: half."""
    n_words: Whole = 1000
    """Frequent words that are taken out. Paper: frequent English words from NLTK; which and how many is unknown."""


@dataclass(frozen=True)
class KMeansSettings:
    """Rumbelow & Watkins 2023: tokens nearest to k-means centroids, then to the centroid of all."""

    n_clusters: Count = 100
    """The posts' own number is unknown, and so is that of the baseline in GlitchHunter's paper."""
    per_cluster: Whole = 1
    """Tokens nearest to each centroid that are asked before the rest. The posts looked at a handful by eye."""


@dataclass(frozen=True)
class GlitchMinerSettings:
    """Wu et al. 2024, arXiv 2410.15052; public code wooozihui/GlitchMiner @77cf15b, miner.py."""

    batch_size: Count = 8
    """Tokens asked in one iteration. Code: 8."""
    k: int = 32
    """Neighbours a batch is chosen from. Code: 32."""

    def __post_init__(self) -> None:
        if self.k < self.batch_size:
            raise FieldRejected.key("k", self.k, f"batch_size ({self.batch_size}) or more")


@dataclass(frozen=True)
class GlitchProberSettings:
    """Zhang et al. 2024, arXiv 2408.04905 (paper); code LLM-Integrity-Guard/GlitchProber @ccefeda."""

    n_components: Count = 75
    """Principal components of the activations. Paper and code: 75 (50 to 200 advised)."""
    degree: Count = 3
    """Of the polynomial kernel. Paper and code: 3."""
    c: Annotated[float, must_be("a number above 0", lambda c: c > 0)] = 1.0
    """Softness of the margin. Paper: 1; code: 0.5."""
    is_balanced: bool = True
    """Whether both classes weigh the same. Code: yes; the paper says nothing."""
    sample_share: Share = 0.5
    """Of the budget that buys the training sample; the rest re-tests predicted glitch tokens. Paper: a sample of a
    tenth of the vocabulary, which is all of a budget of a tenth, and unlimited re-tests; the split is ours."""
    first_layer: float = 19 / 32
    last_layer: float = 28 / 32
    """Key layers as shares of the depth. Code: layers 19 to 28 of 32 (6 to 15 of 18 for gemma-2b)."""

    def __post_init__(self) -> None:
        if not 0 <= self.first_layer <= self.last_layer <= 1:
            raise FieldRejected.key("first_layer", self.first_layer, "shares of the depth, first <= last")


@dataclass(frozen=True)
class ActiveCensusSettings:
    """Our own detector. Its constants are round numbers, settled in trials on pocket and two other organisms; the
    README says which organisms are untouched by them.
    """

    first_share: Annotated[float, must_be("above 0, at most 1", lambda share: 0 < share <= 1)] = 0.1
    """Of the budget that is spread evenly over the range of the weight indicators before anything is learnt."""
    n_rounds: Count = 40
    """Times P(glitch) is learnt anew and the tokens nearest to the cut are asked."""
    explore_share: Annotated[float, must_be("from 0 to 1", lambda share: 0 <= share <= 1)] = 0.05
    """Of the rounds' tokens that are drawn at random, so that no region is written off unseen."""
    n_components: Count = 16
    """Principal components of the rows, levelled, that it sees beside the rows' directions."""
    n_neighbours: Count = 16
    """Neighbours whose density and verdicts it sees."""
    n_trees: Count = 150


NAMES = (
    "random",
    "rule_random",
    "kmeans",
    "glitchhunter",
    "magikarp",
    "glitchminer",
    "glitchprober",
    "active_census",
)


@dataclass(frozen=True)
class RosterSettings:
    """The settings of every detector that has any."""

    rule_random: RuleRandomSettings = field(default_factory=RuleRandomSettings)
    kmeans: KMeansSettings = field(default_factory=KMeansSettings)
    glitchhunter: GlitchHunterSettings = field(default_factory=GlitchHunterSettings)
    glitchminer: GlitchMinerSettings = field(default_factory=GlitchMinerSettings)
    glitchprober: GlitchProberSettings = field(default_factory=GlitchProberSettings)
    active_census: ActiveCensusSettings = field(default_factory=ActiveCensusSettings)
