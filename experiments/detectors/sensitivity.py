"""GlitchHunter with other values of the settings that its paper does not give."""

from dataclasses import replace

from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.glitchhunter.settings import KeepRule


def variants(given: GlitchHunter) -> dict[str, GlitchHunter]:
    """By what differs from `given`."""
    return {
        "resolution as published, unscaled": replace(given, scale_resolution=False),
        "half the resolution": replace(given, resolution=given.resolution / 2),
        "twice the resolution": replace(given, resolution=given.resolution * 2),
        "kept from one hit on (public code)": replace(given, keep=KeepRule.ONE_HIT),
        "notices a cluster of 25 %": replace(given, cluster_rate=0.25),
        "no principal components": replace(given, n_components=0),
    }
