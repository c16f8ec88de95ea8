"""Magikarp's verification of under-trained tokens (Land & Bartolo 2024, arXiv 2405.05417; fishing.py, report.py)."""

from collections.abc import Sequence
from enum import Enum

import numpy as np
from jaxtyping import Bool, Float

VERIFIED_BELOW = 0.01
"""The reporting rule: under-trained iff the token's probability stays below this at every position of every prompt."""

_WINDOW = 12
_SOFT_SHARE = 2 / 3


class VerificationClass(Enum):
    """How sure the verification is, by `max_prob`."""

    STRONG_REJECTED = "strong_rejected"
    WEAK_REJECTED = "weak_rejected"
    ENCODING_FAILED = "verification_encoding_failed"
    """No prompt survives decoding and encoding again with the token in it: no text can ask for it."""
    STRONG_VERIFIED = "strong_verified"
    WEAK_VERIFIED = "weak_verified"


def classify_verification(max_prob: float, encodeable: bool) -> VerificationClass:
    """The published class, tried in the published order."""
    if max_prob > 0.9:
        return VerificationClass.STRONG_REJECTED
    if max_prob > 0.1:
        return VerificationClass.WEAK_REJECTED
    if not encodeable:
        return VerificationClass.ENCODING_FAILED
    return VerificationClass.STRONG_VERIFIED if max_prob < 0.001 else VerificationClass.WEAK_VERIFIED


def soft_threshold(
    indicator: Float[np.ndarray, " candidate"], verified: Bool[np.ndarray, " candidate"]
) -> float | None:
    """Indicator up to which candidates, ascending, are mostly verified; None where the first window is not.

    A window of 12 candidates to either side is moved along; it stops where less than two thirds are verified.
    """
    last = None
    for place in range(len(indicator)):
        window = verified[max(0, place - _WINDOW) : place + _WINDOW + 1]
        if window.mean() < _SOFT_SHARE:
            break
        last = float(indicator[place])
    return last


def is_candidate(
    indicator: Float[np.ndarray, " d_vocab"],
    is_ok: Bool[np.ndarray, " d_vocab"],
    is_special: Bool[np.ndarray, " d_vocab"],
    percentile: float,
) -> tuple[Bool[np.ndarray, " d_vocab"], float]:
    """Which tokens are verified, and the threshold: a percentile of the indicator over reachable ordinary tokens.

    Reachable special tokens at or below it are verified too.
    """
    threshold = float(np.percentile(indicator[is_ok], percentile))
    return (indicator <= threshold) & (is_ok | is_special), threshold


def superstrings(text: str, token_id: int, texts: Sequence[str], most: int = 5) -> list[int]:
    """The first ids above `token_id` whose text holds `text`: what the token was swallowed by."""
    found: list[int] = []
    for other in range(token_id + 1, len(texts)):
        if text in texts[other]:
            found.append(other)
            if len(found) == most:
                break
    return found
