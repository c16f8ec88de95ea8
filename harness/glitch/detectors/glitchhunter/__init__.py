"""GlitchHunter: cluster the embedding graph, test a sample of every cluster, keep what fails, and start over."""

from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings, KeepRule

__all__ = ["GlitchHunterSettings", "KeepRule"]
