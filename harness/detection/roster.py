"""Every detector there is, by name, in the order they are shown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.detection.settings import (
    ActiveCensusSettings,
    GlitchMinerSettings,
    GlitchProberSettings,
    KMeansSettings,
    RuleRandomSettings,
)
from harness.glitchhunter.settings import GlitchHunterSettings

if TYPE_CHECKING:
    from harness.detection.ledger import Detector

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
OURS = "active_census"


@dataclass(frozen=True)
class RosterSettings:
    """The settings of every detector that has any."""

    rule_random: RuleRandomSettings = field(default_factory=RuleRandomSettings)
    kmeans: KMeansSettings = field(default_factory=KMeansSettings)
    glitchhunter: GlitchHunterSettings = field(default_factory=GlitchHunterSettings)
    glitchminer: GlitchMinerSettings = field(default_factory=GlitchMinerSettings)
    glitchprober: GlitchProberSettings = field(default_factory=GlitchProberSettings)
    active_census: ActiveCensusSettings = field(default_factory=ActiveCensusSettings)


def make_detector(name: str, settings: RosterSettings) -> "Detector":
    """The detector called `name`, one of `NAMES`."""
    from harness.detection.active_census import ActiveCensus
    from harness.detection.glitchhunter import GlitchHunter
    from harness.detection.glitchminer import GlitchMiner
    from harness.detection.glitchprober import GlitchProber
    from harness.detection.kmeans import KMeansCentroids
    from harness.detection.magikarp import MagikarpRanking
    from harness.detection.random_sample import RandomSample
    from harness.detection.rule_random import RuleRandom

    makers: dict[str, Callable[[], Detector]] = {
        "random": RandomSample,
        "rule_random": lambda: RuleRandom(settings.rule_random),
        "kmeans": lambda: KMeansCentroids(settings.kmeans),
        "glitchhunter": lambda: GlitchHunter(settings.glitchhunter),
        "magikarp": MagikarpRanking,
        "glitchminer": lambda: GlitchMiner(settings.glitchminer),
        "glitchprober": lambda: GlitchProber(settings.glitchprober),
        "active_census": lambda: ActiveCensus(settings.active_census),
    }
    return makers[name]()
