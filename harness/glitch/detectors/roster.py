"""Every detector there is, in the order they are shown. A new one is a file with its class, and a line here.

Configs are composed from this list, so what it imports imports none of scipy, scikit-learn and igraph at the top.
"""

from dataclasses import field, fields
from typing import TypeVar

from harness.glitch.detectors.active_census import ActiveCensus, ActiveCensusOfVerdicts
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.glitchminer import GlitchMiner
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.indicator_threshold import INDICATOR_THRESHOLDS
from harness.glitch.detectors.kmeans import KMeansCentroids
from harness.glitch.detectors.logistic_indicators import LogisticIndicators
from harness.glitch.detectors.magikarp import MagikarpRanking
from harness.glitch.detectors.random_sample import RandomSample
from harness.glitch.detectors.rule_random import RuleRandom
from harness.glitch.detectors.uncertainty_sampling import UncertaintySampling

DETECTORS: tuple[type[Detector], ...] = (
    KMeansCentroids,
    GlitchHunter,
    MagikarpRanking,
    GlitchMiner,
    GlitchProber,
    RuleRandom,
    RandomSample,
    *INDICATOR_THRESHOLDS,
    LogisticIndicators,
    UncertaintySampling,
    ActiveCensusOfVerdicts,
    ActiveCensus,
)
T = TypeVar("T")


def names() -> tuple[str, ...]:
    """The name of every detector."""
    return tuple(kind.name for kind in DETECTORS)


def make_detector(name: str, settings: object) -> Detector:
    """The detector called `name`, one of `names()`, from a config that `with_settings` made."""
    (kind,) = (kind for kind in DETECTORS if kind.name == name)
    return getattr(settings, name, None) or kind()


def with_settings(config: type[T]) -> type[T]:
    """A class about to become a dataclass, with a field for every detector that has settings before its own fields."""
    kinds = {kind.name: kind for kind in DETECTORS if fields(kind)}
    config.__annotations__ = {**kinds, **config.__annotations__}
    for name, kind in kinds.items():
        setattr(config, name, field(default_factory=kind))
    return config
