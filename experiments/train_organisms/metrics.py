"""Numbers of one arm, with intervals over trainings and, where tokens are asked, over tokens as well."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.train_organisms.half_dose import half_dose, resampled_means
from experiments.train_organisms.probing import QUANTITIES
from harness.glitch.indicators import Indicator
from harness.measure.intervals import CONFIDENCE, student_t

MATRICES = ("embedding", "unembedding")
GROUPS = ("never_shown", "well_shown")
HALVED = ("copied", "logit_diff")
"""Quantities whose half is looked for: the copy effect lifts tokens that are not copied, too."""
LEAST_COPIED = 0.9
MOST_LOSS = 0.05
"""Nats by which the held-out loss may be above the reference's."""

Number = float | int | None


def is_comparable(found: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]) -> bool:
    """Whether an arm learnt enough to say anything: it copies what it was shown, or predicts text as the reference."""
    above = float((found["loss"][:, 1] - reference["loss"][:, 1]).mean())
    return _copies(found) or above <= MOST_LOSS


def _copies(found: Mapping[str, np.ndarray]) -> bool:
    return float(found["well_shown/copied"].mean()) >= LEAST_COPIED


def arm_metrics(
    found: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], doses: Sequence[int], seed: int
) -> dict[str, Number]:
    """The arm's metrics by name; `seed` varies resampling."""
    metrics: dict[str, Number] = {
        "trainings": len(found["dose"]),
        "tokens_per_group": int((found["dose"][0] == 0).sum()),
        "comparable": int(is_comparable(found, reference)),
    }
    for number, part in enumerate(("final_loss", "held_out_loss")):
        if not np.isnan(found["loss"][:, number]).any():
            metrics |= student_t(found["loss"][:, number]).metrics(part)
    for name in QUANTITIES:
        metrics |= _by_dose(found, name, doses, seed)
    for i, matrix in enumerate(MATRICES):
        for j, group in enumerate(GROUPS):
            metrics |= student_t(found["cosine"][:, i, j]).metrics(f"cosine/{matrix}/{group}")
        ratio = found["norm"][:, i, 0] / found["norm"][:, i, 1]
        metrics |= student_t(ratio).metrics(f"norm_ratio/{matrix}")
    metrics |= student_t(found["cosine"][:, 1, 0] - reference["cosine"][:, 1, 0]).metrics("cosine_above_reference")
    for number, indicator in enumerate(Indicator):
        areas = found["auc"][:, number]
        if not np.isnan(areas).any():
            metrics |= student_t(areas).metrics(f"auc/{indicator.value}")
    return metrics


def _by_dose(found: Mapping[str, np.ndarray], name: str, doses: Sequence[int], seed: int) -> dict[str, Number]:
    # Every training has as many tokens of each dose.
    by_dose = {dose: found[name][found["dose"] == dose].reshape(len(found[name]), -1) for dose in doses}
    known = found[f"well_shown/{name}"]
    draws = {dose: resampled_means(values, seed) for dose, values in by_dose.items()}
    of_known = resampled_means(known, seed)
    metrics: dict[str, Number] = {}
    for dose, values in by_dose.items():
        metrics |= _with_ends(f"dose_{dose}/{name}", float(values.mean()), draws[dose])
    metrics |= _with_ends(f"well_shown/{name}", float(known.mean()), of_known)
    # Half of nothing is reached by every dose.
    if name in HALVED and _copies(found):
        means = np.asarray([values.mean() for values in by_dose.values()])
        at = half_dose(doses, means, np.asarray(known.mean() / 2))
        ends = half_dose(doses, np.stack(list(draws.values()), axis=-1), of_known / 2)
        metrics |= _with_ends(f"half_dose/{name}", float(at), ends)
    return metrics


def _with_ends(name: str, value: float, draws: np.ndarray) -> dict[str, Number]:
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="nearest").tolist()
    return {name: _finite(value), f"{name}/ci_low": _finite(low), f"{name}/ci_high": _finite(high)}


def _finite(value: float) -> float | None:
    """None: beyond the largest dose."""
    return value if np.isfinite(value) else None
