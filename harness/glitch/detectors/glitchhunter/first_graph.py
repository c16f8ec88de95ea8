"""The first graph of a hunt, which depends on no verdict: built once for all budgets."""

from functools import lru_cache

import numpy as np

from harness.glitch.detectors.glitchhunter.hunt import HuntGraph, build_graph
from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings
from harness.glitch.detectors.view import ModelView


@lru_cache(maxsize=8)
def first_graph(view: ModelView, settings: GlitchHunterSettings, seed: int) -> HuntGraph:
    """Of all tokens of a view."""
    return build_graph(view.embedding[view.ids].astype(np.float32), settings, seed)
