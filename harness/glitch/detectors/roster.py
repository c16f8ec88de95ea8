"""Every detector there is, by name, in the order they are shown."""

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings
from harness.glitch.detectors.glitchminer import GlitchMiner
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.kmeans import KMeansCentroids
from harness.glitch.detectors.ledger import Detector
from harness.glitch.detectors.magikarp import MagikarpRanking
from harness.glitch.detectors.random_sample import RandomSample
from harness.glitch.detectors.rule_random import RuleRandom
from harness.glitch.detectors.settings import (
    ActiveCensusSettings,
    GlitchMinerSettings,
    GlitchProberSettings,
    KMeansSettings,
    RuleRandomSettings,
)

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


def make_detector(name: str, settings: RosterSettings) -> Detector:
    """The detector called `name`, one of `NAMES`."""

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
