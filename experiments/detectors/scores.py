"""How good one report is: what it confirmed, and what it predicts of the whole vocabulary."""

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import average_precision_score

from experiments.detectors.truth import Truth
from harness.glitch.detectors.scoring import confusion


def score_report(report: Mapping[str, np.ndarray], truth: Truth) -> dict[str, float | int | None]:
    """Numbers of one report; `report`: arrays `asked`, `fails`, `predicted`, `probability`, `spent`, `spent_on_passes`.

    Confirmed: queried and failed. Predicted: reported, queried or not. `promised`: mean probability of what is reported
    without having been queried, `kept` the share of it that are glitch tokens.
    """
    glitch = truth.glitch
    asked, fails, predicted = (report[key].astype(bool) for key in ("asked", "fails", "predicted"))
    whole, confirmed = confusion(predicted, glitch), confusion(fails, glitch)
    open_ = confusion(predicted[~asked], glitch[~asked])
    unasked = predicted & ~asked
    spent = int(report["spent"])
    return {
        "precision": whole.precision,
        "recall": whole.recall,
        "f1": whole.f1,
        "average_precision": _average_precision(glitch, report["probability"]),
        "predicted": int(predicted.sum()),
        "unasked_precision": open_.precision,
        "unasked_recall": open_.recall,
        "promised": float(report["probability"][unasked].mean()) if unasked.any() else None,
        "kept": open_.precision,
        "asked": int(asked.sum()),
        "confirmed": int(fails.sum()),
        "confirmed_precision": confirmed.precision,
        "confirmed_recall": confirmed.recall,
        "positions_per_confirmed": spent / confirmed.hits if confirmed.hits else None,
        "spent": spent,
        "spent_on_passes": int(report["spent_on_passes"]),
    }


def _average_precision(glitch: np.ndarray, probability: np.ndarray) -> float | None:
    return float(average_precision_score(glitch, probability)) if glitch.any() else None
