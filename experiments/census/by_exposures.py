"""How many tokens of each range of training counts are glitch tokens, where somebody counted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from experiments.census.config import CensusConfig
from harness.measure.exposures import EXPOSURE_RANGES, is_inside
from harness.runs.context import Run


def count_by_exposures(run: Run[CensusConfig], glitch: Mapping[int, bool]) -> list[dict[str, Any]]:
    """A row for each range that holds tokens with a verdict, those planted on purpose apart; none without counts."""
    if not glitch or run.facts.exposures is None:
        return []
    ids, failed = np.array(list(glitch)), np.array(list(glitch.values()))
    counts = run.facts.exposures.total[ids]
    planted: list[int] = [] if run.organism is None else [i for some in run.organism.planted.values() for i in some]
    is_planted = np.isin(ids, planted)
    rows = []
    for kind in (False, True):
        for low, high in EXPOSURE_RANGES:
            inside: Bool[np.ndarray, " token"] = is_inside(counts, low, high) & (is_planted == kind)
            if inside.any():
                rows.append(
                    {
                        "low": low, "high": high, "planted": kind, "n": int(inside.sum()),
                        "glitch": int(failed[inside].sum()), "mean": float(counts[inside].mean()),
                    }
                )  # fmt: skip
    return rows
