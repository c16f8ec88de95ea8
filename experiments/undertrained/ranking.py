"""Do the weights rank under-training at all, or must the model be asked?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.stats import fisher_exact

from experiments.undertrained.data import Verified, Weights
from harness.measure.intervals import wilson

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Ranking:
    """What speaks for and against the ranking by the main indicator."""

    weights_rank: bool | None
    """None where nothing speaks against it and the verification does not decide."""
    reason: str
    """Why not; empty otherwise."""
    n_controls: int
    controls_verified: int
    p: float | None
    """One-sided Fisher's exact test: candidates are verified more often than random tokens. None: not asked."""

    def metrics(self) -> dict[str, float | int | str | None]:
        """For metrics.json."""
        found: dict[str, float | int | str | None] = {
            "weights_rank": None if self.weights_rank is None else int(self.weights_rank),
            "controls": self.n_controls,
            "controls_verified": self.controls_verified if self.n_controls else None,
            "candidates_against_controls_p": self.p,
        }
        if self.n_controls:
            found |= dict(wilson(self.controls_verified, self.n_controls).metrics("controls_verified_share"))
        return found


def problems_of(weights: Weights) -> str:
    """What the weights themselves say against the ranking; empty where nothing does."""
    stand_in = "no token is known to be unused" if weights.unused.is_stand_in else ""
    return "; ".join(filter(None, (stand_in, *(weights.check.problems if weights.check is not None else ()))))


def judge_ranking(
    problems: str, hits: Bool[np.ndarray, " candidate"], ordinary: Bool[np.ndarray, " candidate"],
    controls: Verified,
) -> Ranking:  # fmt: skip
    """The verification decides where it can; else what the weights say of the reference.

    They rank where ordinary candidates are verified more often than random tokens that are none (p below 0.05), and do
    not where they are verified no more often although some of the random ones are, or where the reference itself speaks
    against it (`problems`).
    """
    n, k = int(ordinary.sum()), int(hits.sum())
    m, j = len(controls.ids), int(controls.is_verified.sum())
    p = None
    if n and m and (k or j):
        p = float(fisher_exact([[k, n - k], [j, m - j]], alternative="greater").pvalue)
        if p < SIGNIFICANT:
            return Ranking(True, "", m, j, p)
        if j and k / n <= j / m:
            reason = f"{k} of {n} candidates are verified ({k / n:.1%}), and {j} of {m} random tokens ({j / m:.1%})"
            return Ranking(False, "; ".join(filter(None, (reason, problems))), m, j, p)
    return Ranking(False if problems else None, problems, m, j, p)
