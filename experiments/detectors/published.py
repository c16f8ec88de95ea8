"""What the literature reports of these detectors, and why it is not the same measurement."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedFigure:
    """One figure of one source; shares of 1."""

    detector: str
    source: str
    precision: float | None
    recall: float | None
    f1: float | None
    differs: str


PUBLISHED = (
    PublishedFigure("glitchhunter", "Li et al. 2024, mean over 8 models", 0.9944, 0.6320, None,
                    "other models of 32,000 tokens and more; truth by three tasks, failing any; hunts to its end"),
    PublishedFigure("glitchhunter", "re-run by Zhang et al. 2024", 1.0, 0.2652, 0.4049,
                    "other models, no filter of tokens; their settings are not given"),
    PublishedFigure("glitchprober", "Zhang et al. 2024, table 3", 1.0, 0.6447, 0.7835,
                    "other models; truth by one wording of repetition; predictions tested again, with no budget"),
    PublishedFigure("glitchprober", "independent re-run, Mistral-7B, 3 seeds, its paper's census", None, 0.279, 0.431,
                    "another model and wording; settings of the paper"),
    PublishedFigure("glitchprober", "independent re-run, Mistral-7B, 3 seeds, its code's census", None, 0.404, 0.575,
                    "another model and wording; settings of the code"),
    PublishedFigure("rule_random", "Zhang et al. 2024, table 3", 0.1632, 0.4624, 0.2364,
                    "other models; no queries at all"),
)  # fmt: skip
"""Land & Bartolo 2024 and Wu et al. 2024 report verified candidates and counts found, no recall."""
