"""Every detector with settings that make it quick, and planted tokens for it to find."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from harness.glitch.detectors.active_census import ActiveCensus, ActiveCensusOfVerdicts
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.kmeans import KMeansCentroids
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.roster import make_detector
from harness.glitch.detectors.uncertainty_sampling import UncertaintySampling
from tests.helpers.planted_tokens import (
    Opener,
    PlantedPasses,
    planted_view,
)

FEW_TREES = {"n_trees": 5, "n_components": 4, "n_neighbours": 8, "growth": 1.0}
QUICK = SimpleNamespace(
    active_census=ActiveCensus(**FEW_TREES),
    active_census_verdicts=ActiveCensusOfVerdicts(**FEW_TREES),
    glitchhunter=GlitchHunter(k=10, resolution=1.0, scale_resolution=False, n_components=8),
    kmeans=KMeansCentroids(n_clusters=5),
    glitchprober=GlitchProber(n_components=10),
    uncertainty_sampling=UncertaintySampling(growth=0.5),
)


def planted(n=200, share=0.25, price=QueryPrice(), truth=None, tied=True, shares_activations=True):  # noqa: B008 (frozen)
    view, own = planted_view(n, share, price=price)
    truth = own if truth is None else truth
    direction = view.embedding[:4].mean(axis=0)
    hotness = (view.embedding[:n] @ direction) / np.linalg.norm(view.embedding[:n], axis=1)
    passes = PlantedPasses(truth, hotness, direction, shares_activations=shares_activations)
    return replace(view, passes=passes, is_tied=tied), truth


def is_tied_for(name):
    """A tied model has no input norm to go by."""
    return name != "input_norm"


def run(name, view, truth, budgets, seed=0):
    """The reports, and what opened the oracles."""
    opener = Opener(truth, view.price, np.where(truth, -1.0, 1.0))
    return make_detector(name, QUICK).detect(view, opener, budgets, seed), opener


def contents(report):
    return [
        report.asked.tolist(), report.fails.tolist(), report.probability.tolist(), report.predicted.tolist(),
        report.spent, report.spent_on_passes,
    ]  # fmt: skip
