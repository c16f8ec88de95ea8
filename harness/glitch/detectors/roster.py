"""Every detector there is, by name, in the order they are shown."""

from collections.abc import Callable

from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.glitchminer import GlitchMiner
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.kmeans import KMeansCentroids
from harness.glitch.detectors.ledger import Detector
from harness.glitch.detectors.magikarp import MagikarpRanking
from harness.glitch.detectors.random_sample import RandomSample
from harness.glitch.detectors.rule_random import RuleRandom
from harness.glitch.detectors.settings import (
    RosterSettings,
)


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
