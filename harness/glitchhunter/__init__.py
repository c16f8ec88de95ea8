"""GlitchHunter: cluster the embedding graph, test a sample of every cluster, keep what fails, and start over."""

from harness.glitchhunter.settings import GlitchHunterSettings, KeepRule

__all__ = ["GlitchHunterSettings", "KeepRule"]
