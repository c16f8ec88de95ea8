"""Every parameter of every detector, its default and where the default comes from.

"unknown" means: looked for in the sources and not found; the value is then ours. Settings of GlitchHunter are in
`harness.glitch.detectors.glitchhunter.settings`.
"""

from dataclasses import dataclass, field

from harness.errors import Rejected
from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings


def _require(key: str, got: object, holds: bool, allowed: str) -> None:
    if not holds:
        raise Rejected.key(f"exp.{key}", got, allowed)


@dataclass(frozen=True)
class RuleRandomSettings:
    """Rule-based random sampling, the baseline of Zhang et al. 2024 (GlitchProber, arXiv 2408.04905)."""

    share: float = 0.5
    """Of the vocabulary that is drawn. Paper: half."""
    n_words: int = 1000
    """Frequent words that are taken out. Paper: frequent English words from NLTK; which and how many is unknown."""

    def __post_init__(self) -> None:
        _require("rule_random.share", self.share, 0 < self.share <= 1, "a share above 0, at most 1")
        _require("rule_random.n_words", self.n_words, self.n_words >= 0, "0 or more")


@dataclass(frozen=True)
class KMeansSettings:
    """Rumbelow & Watkins 2023: tokens nearest to k-means centroids, then to the centroid of all."""

    n_clusters: int = 100
    """The posts' own number is unknown, and so is that of the baseline in GlitchHunter's paper."""
    per_cluster: int = 1
    """Tokens nearest to each centroid that are asked before the rest. The posts looked at a handful by eye."""

    def __post_init__(self) -> None:
        _require("kmeans.n_clusters", self.n_clusters, self.n_clusters >= 1, "1 or more")
        _require("kmeans.per_cluster", self.per_cluster, self.per_cluster >= 0, "0 or more")


@dataclass(frozen=True)
class GlitchMinerSettings:
    """Wu et al. 2024, arXiv 2410.15052; public code wooozihui/GlitchMiner @77cf15b, miner.py."""

    batch_size: int = 8
    """Tokens asked in one iteration. Code: 8."""
    k: int = 32
    """Neighbours a batch is chosen from. Code: 32."""

    def __post_init__(self) -> None:
        _require("glitchminer.batch_size", self.batch_size, self.batch_size >= 1, "1 or more")
        _require("glitchminer.k", self.k, self.k >= self.batch_size, f"batch_size ({self.batch_size}) or more")


@dataclass(frozen=True)
class GlitchProberSettings:
    """Zhang et al. 2024, arXiv 2408.04905 (paper); code LLM-Integrity-Guard/GlitchProber @ccefeda."""

    n_components: int = 75
    """Principal components of the activations. Paper and code: 75 (50 to 200 advised)."""
    degree: int = 3
    """Of the polynomial kernel. Paper and code: 3."""
    c: float = 1.0
    """Softness of the margin. Paper: 1; code: 0.5."""
    is_balanced: bool = True
    """Whether both classes weigh the same. Code: yes; the paper says nothing."""
    sample_share: float = 0.5
    """Of the budget that buys the training sample; the rest re-tests predicted glitch tokens. Paper: a sample of a
    tenth of the vocabulary, which is all of a budget of a tenth, and unlimited re-tests; the split is ours."""
    first_layer: float = 19 / 32
    last_layer: float = 28 / 32
    """Key layers as shares of the depth. Code: layers 19 to 28 of 32 (6 to 15 of 18 for gemma-2b)."""

    def __post_init__(self) -> None:
        _require("glitchprober.n_components", self.n_components, self.n_components >= 1, "1 or more")
        _require("glitchprober.degree", self.degree, self.degree >= 1, "1 or more")
        _require("glitchprober.c", self.c, self.c > 0, "a number above 0")
        _require(
            "glitchprober.sample_share", self.sample_share, 0 < self.sample_share <= 1, "a share above 0, at most 1"
        )
        ordered = 0 <= self.first_layer <= self.last_layer <= 1
        _require("glitchprober.first_layer", self.first_layer, ordered, "shares of the depth, first <= last")


@dataclass(frozen=True)
class ActiveCensusSettings:
    """Our own detector. Its constants are round numbers, settled in trials on pocket and two other organisms; the
    README says which organisms are untouched by them.
    """

    first_share: float = 0.1
    """Of the budget that is spread evenly over the range of the weight indicators before anything is learnt."""
    n_rounds: int = 40
    """Times P(glitch) is learnt anew and the tokens nearest to the cut are asked."""
    explore_share: float = 0.05
    """Of the rounds' tokens that are drawn at random, so that no region is written off unseen."""
    n_components: int = 16
    """Principal components of the rows, levelled, that it sees beside the rows' directions."""
    n_neighbours: int = 16
    """Neighbours whose density and verdicts it sees."""
    n_trees: int = 150

    def __post_init__(self) -> None:
        _require("active_census.first_share", self.first_share, 0 < self.first_share <= 1, "above 0, at most 1")
        _require("active_census.n_rounds", self.n_rounds, self.n_rounds >= 1, "1 or more")
        _require("active_census.explore_share", self.explore_share, 0 <= self.explore_share <= 1, "from 0 to 1")
        for name in ("n_components", "n_neighbours", "n_trees"):
            _require(f"active_census.{name}", getattr(self, name), getattr(self, name) >= 1, "1 or more")


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
