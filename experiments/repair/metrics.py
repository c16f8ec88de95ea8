"""The numbers, arrays and records of a run, from what was measured."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from experiments.repair.config import RepairConfig
from experiments.repair.evaluating import FAILED, NOT_ASKED, PASSED, Found, Ward
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import questions_of
from harness.glitch.repair.choices import CONTROLS, UNTOUCHED
from harness.measure.bootstrap import bootstrap_mean, bootstrap_ratio
from harness.measure.compare import paired_difference
from harness.measure.intervals import Interval, wilson
from harness.runs.context import Outcome, Run
from harness.tokens.kinds import LABELS, kinds_of

Metrics = dict[str, float | int | str | None]

LEAST_REPAIRED, MOST_PERPLEXITY, MOST_HARMED = 0.9, 0.01, 0.005
"""What a method has to reach to be recommended: share of glitch tokens repaired, relative change of the perplexity,
share of healthy tokens harmed."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Everything that a run found."""

    ward: Ward
    found: Mapping[str, Found]
    """By method, the untouched model first."""
    vocabulary: CensusVocabulary

    @property
    def untouched(self) -> Found:
        """The control."""
        return self.found[UNTOUCHED]


def summarise(run: Run[RepairConfig], measured: Measured) -> Outcome:
    """Metrics, arrays and details."""
    ward, before = measured.ward, measured.untouched
    metrics: Metrics = {
        "glitch_tokens": len(ward.tokens.glitch),
        "glitch_tokens_held_out": int(ward.tokens.held_out.sum()),
        "healthy_tokens": len(ward.tokens.healthy),
        "mistaken_tokens": len(ward.tokens.mistaken),
        "fitting_wordings": len(ward.wordings.fitting),
        "held_out_wordings": len(ward.wordings.held_out),
        "documents": len(ward.documents.texts),
        "text_tokens": int(before.text.n_tokens.sum()),
        "perplexity": math.exp(before.text.nats.sum() / before.text.n_tokens.sum()),
        "tokens_per_word": float(before.text.n_ids.sum() / ward.documents.words.sum()),
    }
    if len(before.copy_effect):
        metrics |= bootstrap_mean(before.copy_effect, run.seed).metrics("copy_effect")
    for name, found in measured.found.items():
        metrics |= _of_method(name, found, measured, run.seed)
    return Outcome(metrics, _arrays(measured), _details(measured))


def _of_method(name: str, found: Found, measured: Measured, seed: int) -> Metrics:
    before, held_out = measured.untouched, measured.ward.tokens.held_out
    metrics: Metrics = {
        f"{name}/positions": found.n_positions,
        f"{name}/left_out": len(found.left_out),
    }
    metrics |= _share(f"{name}/repair_rate", passes_any(found.passed)[held_out])
    metrics |= _share(f"{name}/repair_rate_fitting_tokens", passes_any(found.passed)[~held_out])
    metrics |= _share(f"{name}/repair_rate_fitting_wordings", passes_any(found.fitting_passed)[held_out])
    metrics |= _passed_share(f"{name}/wordings_passed", found.passed[held_out], seed)
    if len(found.left_out):
        is_mended = ~np.isin(measured.ward.tokens.glitch, found.left_out)
        metrics |= _share(f"{name}/repair_rate_of_mended", passes_any(found.passed)[held_out & is_mended])
    for key, now, then in (
        ("healthy", found.healthy, before.healthy),
        ("mistaken", found.mistaken, before.mistaken),
        *([("lost", found.lost[:, 1], found.lost[:, 0])] if len(found.lost) else []),
    ):
        asked = (now != NOT_ASKED) & (then != NOT_ASKED)
        metrics |= _harmed(f"{name}/{key}", now[asked] == FAILED, then[asked] == FAILED)
    metrics |= {f"{name}/{key}": value for key, value in found.costs.items()}
    n_bytes, n_tokens, n_ids = (
        counts.astype(np.float64)
        for counts in (measured.ward.documents.n_bytes, before.text.n_tokens, before.text.n_ids)
    )
    metrics |= bootstrap_ratio(found.text.nats, n_bytes, seed).metrics(f"{name}/nats_per_byte")
    # The same text, whatever it is cut into: nats are counted against the tokens it had.
    more = found.text.nats - before.text.nats
    metrics |= _relative(bootstrap_ratio(more, n_tokens, seed)).metrics(f"{name}/perplexity_change")
    metrics |= bootstrap_ratio(found.text.n_ids - n_ids, n_ids, seed).metrics(f"{name}/tokens_per_word_change")
    if len(before.copy_effect):
        change = found.copy_effect - before.copy_effect
        metrics |= bootstrap_mean(change, seed).metrics(f"{name}/copy_effect_change")
    return metrics


def passes_any(passed: Int[np.ndarray, "token wording"]) -> Int[np.ndarray, " token"]:
    """What agreement of the wordings says of each token: `PASSED` where one is passed, `FAILED` where none of those
    asked is, `NOT_ASKED` where none could be."""
    if passed.shape[1] == 0:
        return np.full(len(passed), NOT_ASKED, dtype=np.int8)
    found: np.ndarray = passed.max(axis=1)
    return found


def _share(key: str, results: Int[np.ndarray, " token"]) -> Metrics:
    asked = results[results != NOT_ASKED]
    if not len(asked):
        return {key: None, f"{key}/ci_low": None, f"{key}/ci_high": None}
    return dict(wilson(int((asked == PASSED).sum()), len(asked)).metrics(key))


def _passed_share(key: str, passed: Int[np.ndarray, "token wording"], seed: int) -> Metrics:
    """Mean over tokens of the share of wordings passed."""
    asked = (passed != NOT_ASKED).sum(axis=1)
    if not (asked > 0).any():
        return {key: None, f"{key}/ci_low": None, f"{key}/ci_high": None}
    shares = (passed == PASSED).sum(axis=1)[asked > 0] / asked[asked > 0]
    return dict(bootstrap_mean(shares, seed).metrics(key))


def _harmed(key: str, now: Bool[np.ndarray, " token"], then: Bool[np.ndarray, " token"]) -> Metrics:
    """Tokens that fail with the method, and by how much more than without it: both are asked the same, second, way."""
    if not len(now):
        names = (f"{key}_failing", f"{key}_harmed")
        return {f"{name}{end}": None for name in names for end in ("", "/ci_low", "/ci_high")}
    both, only_now = int((now & then).sum()), int((now & ~then).sum())
    only_then = int((~now & then).sum())
    difference = paired_difference(both, only_now, only_then, len(now) - both - only_now - only_then)
    return {**wilson(int(now.sum()), len(now)).metrics(f"{key}_failing"), **difference.metrics(f"{key}_harmed")}


def _relative(nats: Interval) -> Interval:
    """A difference in nats a token as a relative change of the perplexity."""
    low, high = (None if end is None else math.expm1(end) for end in (nats.low, nats.high))
    return Interval(math.expm1(nats.mean), low, high, nats.n, nats.method)


def meets_aims(metrics: Mapping[str, Any], name: str) -> bool:
    """Whether a method's means reach all three."""
    keys = ("repair_rate", "perplexity_change", "healthy_harmed")
    rate, perplexity, harmed = (metrics.get(f"{name}/{key}") for key in keys)
    if rate is None or perplexity is None or harmed is None:
        return False
    return bool(rate >= LEAST_REPAIRED and perplexity < MOST_PERPLEXITY and harmed < MOST_HARMED)


def _arrays(measured: Measured) -> dict[str, np.ndarray]:
    tokens, documents = measured.ward.tokens, measured.ward.documents
    arrays = {
        "glitch/ids": tokens.glitch,
        "glitch/held_out": tokens.held_out.astype(np.int8),
        "healthy/ids": tokens.healthy,
        "mistaken/ids": tokens.mistaken,
        "documents/words": documents.words,
        "documents/tokens": measured.untouched.text.n_tokens,
    }
    for name, found in measured.found.items():
        arrays |= {
            f"{name}/passed": found.passed,
            f"{name}/fitting_passed": found.fitting_passed,
            f"{name}/healthy_passed": found.healthy,
            f"{name}/mistaken_passed": found.mistaken,
            f"{name}/nats": found.text.nats,
        }
        if len(found.copy_effect):
            arrays[f"{name}/copy_effect"] = found.copy_effect
    return arrays


def _details(measured: Measured) -> dict[str, Any]:
    ward = measured.ward
    return {
        "methods": [
            {"name": name, "is_control": name in CONTROLS, **dict(found.facts)}
            for name, found in measured.found.items()
        ],
        "source": ward.tokens.source,
        "text": ward.documents.source,
        "wordings": {
            "fitting": [wording.name for wording in ward.wordings.fitting],
            "held_out": [wording.name for wording in ward.wordings.held_out],
        },
        "questions": questions_of(ward.wordings.all),
        "calibration": {trial.name: trial.calibration.sentence() for trial in ward.wordings.trials},
        "aims": {"repair_rate": LEAST_REPAIRED, "perplexity_change": MOST_PERPLEXITY, "healthy_harmed": MOST_HARMED},
    }


def records(run: Run[RepairConfig], measured: Measured) -> Iterable[dict[str, Any]]:
    """One row a glitch token: which methods repair it."""
    kinds = kinds_of(run.evidence.audit, run.tokenizer, run.facts.d_vocab)
    counts = None if run.facts.exposures is None else run.facts.exposures.total
    tokens = measured.ward.tokens
    for row, token in enumerate(tokens.glitch.tolist()):
        yield {
            "item": str(token),
            "id": token,
            "token": run.shown(token),
            "kind": LABELS[kinds[token]],
            "held_out": bool(tokens.held_out[row]),
            "exposures": None if counts is None else int(counts[token]),
            **{f"{name}/passed": int((found.passed[row] == PASSED).sum()) for name, found in measured.found.items()},
            "wordings": int((measured.untouched.passed[row] != NOT_ASKED).sum()),
        }
