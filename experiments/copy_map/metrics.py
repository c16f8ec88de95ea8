"""Numbers derived from what was asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri
from scipy.stats import spearmanr

from experiments.copy_map import what_counts
from experiments.copy_map.asking import Asked
from experiments.copy_map.config import CopyMapConfig, threshold_key
from experiments.copy_map.vocabulary import Vocabulary
from harness.glitch.census.stored import Census
from harness.glitch.detectors.scoring import roc_auc
from harness.measure.exposures import EXPOSURE_RANGES, is_inside
from harness.measure.intervals import ClusterSums, Interval, Method, student_t, student_t_columns, wilson, wilson_ratio
from harness.models.exposures import STREAMS
from harness.runs.context import Outcome, Run
from harness.tokens.kinds import LABELS

LEAST_COPIED = 0.5
"""Share of well-known tokens that a model must copy for the map to say anything about training."""
_NORMAL = float(ndtri(0.975))

Metrics = dict[str, float | int | str | None]


@dataclass(frozen=True, eq=False)
class Answer:
    """Everything that was found."""

    found: Asked
    """By id."""
    calibration: Asked
    worst: Asked | None
    """Lowest log-prob first."""
    vocabulary: Vocabulary
    indicators: Mapping[str, Float[np.ndarray, " d_vocab"]]
    main_indicator: str | None
    unused_rule: str
    census: Census | None

    @cached_property
    def is_informative(self) -> bool:
        """Whether the model copies well-known tokens."""
        return float((~self.calibration.not_copied).mean()) >= LEAST_COPIED

    @cached_property
    def logprob(self) -> Float[np.ndarray, " token"]:
        """Mean over each token's appearances, nats."""
        found: np.ndarray = self.found.logprob.mean(axis=1, dtype=np.float64)
        return found

    @cached_property
    def effect(self) -> Float[np.ndarray, " token"]:
        """Mean over each token's appearances, nats."""
        found: np.ndarray = self.found.effect.mean(axis=1, dtype=np.float64)
        return found

    @cached_property
    def logit_diff(self) -> Float[np.ndarray, " token"]:
        """Mean over each token's appearances, nats."""
        found: np.ndarray = self.found.logit_diff.mean(axis=1, dtype=np.float64)
        return found


def summarise(run: Run[CopyMapConfig], answer: Answer) -> Outcome:
    """Metrics, arrays and details."""
    found = answer.found
    n = len(found.ids)
    metrics: Metrics = {
        "tokens": n,
        "left_out": len(answer.vocabulary.left_out),
        "informative": int(answer.is_informative),
        **_calibration(answer),
        "not_copied": int(found.not_copied.sum()),
        **wilson(int(found.not_copied.sum()), n).metrics("not_copied_share"),
        **_top1(found).metrics("said_share"),
        **student_t(answer.logprob).metrics("logprob_mean"),
        "logprob_median": float(np.median(answer.logprob)),
        **student_t(answer.effect).metrics("copy_effect_mean"),
        **student_t(answer.logit_diff).metrics("logit_diff_mean"),
    }
    for threshold in run.exp.thresholds:
        below = int((answer.logprob < threshold).sum())
        metrics |= {threshold_key(threshold): below}
        metrics |= wilson(below, n).metrics(f"{threshold_key(threshold)}_share")
    metrics |= _by_kind(answer) | _by_indicator(answer) | _worst(answer) | _agreement(answer)
    by_exposures = _by_exposures(run, answer)
    for row in by_exposures:
        if not row["planted"]:
            interval = wilson(row["not_copied"], row["n"])
            metrics |= interval.metrics(f"not_copied_share/exposures_{row['low']}_{row['high'] or ''}")
    fits, most = _what_counts(run, answer)
    metrics |= what_counts.metrics(fits)
    details = _details(run, answer, by_exposures) | {"what_counts": what_counts.details(fits, most) if fits else None}
    return Outcome(metrics, _arrays(run, answer), details)


def spearman(x: Float[np.ndarray, " token"], y: Float[np.ndarray, " token"]) -> Interval | None:
    """Rank correlation; its interval by Fisher's z, variance of Bonett & Wright 2000. None where nothing varies."""
    n = len(x)
    if n < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    rho = float(spearmanr(x, y).statistic)
    if abs(rho) >= 1:
        return Interval(rho, None, None, n, Method.NONE)
    half = _NORMAL * np.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(rho) + np.array([-half, half])).tolist()
    return Interval(rho, low, high, n, Method.FISHER_Z)


def _top1(asked: Asked) -> Interval:
    """Share of appearances in which the token is the likeliest; those of one token hang together."""
    n_appearances = asked.rank.shape[1]
    return wilson_ratio(ClusterSums.of(n_appearances - asked.missed, np.full(len(asked.ids), n_appearances)))


def _calibration(answer: Answer) -> Metrics:
    asked = answer.calibration
    copied = int((~asked.not_copied).sum())
    return {
        "calibration/n": len(asked.ids),
        "calibration/copied": copied,
        **wilson(copied, len(asked.ids)).metrics("calibration/copied_share"),
        **student_t(asked.logprob.mean(axis=1, dtype=np.float64)).metrics("calibration/logprob_mean"),
        **student_t(asked.effect.mean(axis=1, dtype=np.float64)).metrics("calibration/copy_effect_mean"),
        **student_t(asked.logit_diff.mean(axis=1, dtype=np.float64)).metrics("calibration/logit_diff_mean"),
    }


def _by_kind(answer: Answer) -> Metrics:
    kinds = np.array([answer.vocabulary.kinds[token].value for token in answer.found.ids])
    metrics: Metrics = {}
    for kind in LABELS:
        inside = kinds == kind.value
        if inside.any():
            missed = int(answer.found.not_copied[inside].sum())
            name = f"kind/{kind.value}"
            metrics |= {f"{name}/n": int(inside.sum()), f"{name}/not_copied": missed}
            metrics |= wilson(missed, int(inside.sum())).metrics(f"{name}/not_copied_share")
            metrics[f"{name}/logprob_median"] = float(np.median(answer.logprob[inside]))
            metrics[f"{name}/logit_diff_median"] = float(np.median(answer.logit_diff[inside]))
    return metrics


def _by_indicator(answer: Answer) -> Metrics:
    metrics: Metrics = {}
    for name, values in answer.indicators.items():
        some = values[answer.found.ids]
        correlation = spearman(some, answer.logprob)
        if correlation is not None:
            metrics |= correlation.metrics(f"indicator/{name}/spearman")
        # Low is suspicious.
        metrics[f"indicator/{name}/roc_auc"] = roc_auc(-some, answer.found.not_copied)
    return metrics


def _worst(answer: Answer) -> Metrics:
    worst = answer.worst
    if worst is None:
        return {}
    rows = np.searchsorted(answer.found.ids, worst.ids)
    confirmed = int(worst.not_copied.sum())
    return {
        "worst/n": len(worst.ids),
        "worst/not_copied": confirmed,
        **wilson(confirmed, len(worst.ids)).metrics("worst/not_copied_share"),
        # What they were chosen by is lower than what they come to in fresh draws.
        "worst/logprob_when_chosen": float(answer.logprob[rows].mean()),
        **student_t(worst.logprob.mean(axis=1, dtype=np.float64)).metrics("worst/logprob_mean"),
    }


def _agreement(answer: Answer) -> Metrics:
    if answer.census is None:
        return {}
    verdict = _census_verdicts(answer)
    known = verdict >= 0
    failed, missed = verdict[known] == 1, answer.found.not_copied[known]
    counts = {
        "both": failed & missed, "only_copy_map": ~failed & missed, "only_census": failed & ~missed,
        "neither": ~failed & ~missed,
    }  # fmt: skip
    metrics: Metrics = {f"census/{name}": int(some.sum()) for name, some in counts.items()}
    metrics["census/n"] = int(known.sum())
    if known.any():
        metrics |= wilson(int((failed == missed).sum()), int(known.sum())).metrics("census/agreement")
    return metrics


def _census_verdicts(answer: Answer) -> Int[np.ndarray, " token"]:
    assert answer.census is not None
    verdicts = answer.census.glitch
    return np.array([int(verdicts[token]) if token in verdicts else -1 for token in answer.found.ids.tolist()])


def _by_exposures(run: Run[CopyMapConfig], answer: Answer) -> list[dict[str, Any]]:
    """How many tokens of each range of training counts are not copied, those planted on purpose apart."""
    if run.facts.exposures is None:
        return []
    counts = run.facts.exposures.total[answer.found.ids]
    is_planted = _is_planted(run, answer)
    rows = []
    for kind in (False, True):
        for low, high in EXPOSURE_RANGES:
            inside: Bool[np.ndarray, " token"] = is_inside(counts, low, high) & (is_planted == kind)
            if inside.any():
                rows.append(
                    {
                        "low": low, "high": high, "planted": kind, "n": int(inside.sum()),
                        "not_copied": int(answer.found.not_copied[inside].sum()),
                        "mean": float(counts[inside].mean()),
                        "logprob": float(answer.logprob[inside].mean()),
                        "copy_effect": float(answer.effect[inside].mean()),
                        "logit_diff": float(answer.logit_diff[inside].mean()),
                    }
                )  # fmt: skip
    return rows


def _is_planted(run: Run[CopyMapConfig], answer: Answer) -> Bool[np.ndarray, " token"]:
    return np.isin(answer.found.ids, list(run.facts.planted_ids))


def _what_counts(run: Run[CopyMapConfig], answer: Answer) -> tuple[list[what_counts.Fit], int | None]:
    """The regressions of copying on exposures, and the highest count in them; none where nobody counted."""
    if run.facts.exposures is None:
        return [], None
    found = answer.found
    n_appearances = found.rank.shape[1]
    data = what_counts.Copied(
        run.facts.exposures, _is_planted(run, answer), found.ids, n_appearances - found.missed, n_appearances,
        answer.vocabulary.same[found.ids],
    )  # fmt: skip
    most = what_counts.highest_dose(run.facts.planted)
    return what_counts.fit_all(data, most), most


def _arrays(run: Run[CopyMapConfig], answer: Answer) -> dict[str, np.ndarray]:
    found = answer.found
    arrays: dict[str, np.ndarray] = {
        "ids": found.ids,
        "logprob": answer.logprob.astype(np.float32),
        "logprob_control": found.control.mean(axis=1, dtype=np.float64).astype(np.float32),
        "copy_effect": answer.effect.astype(np.float32),
        "logit_diff": answer.logit_diff.astype(np.float32),
        "rank": np.median(found.rank, axis=1).astype(np.float32),
        "missed": found.missed.astype(np.int64),
        "not_copied": found.not_copied.astype(np.int8),
        "alike": answer.vocabulary.alike[found.ids],
    }
    if run.facts.exposures is not None:
        arrays["exposures"] = run.facts.exposures.total[found.ids].astype(np.int64)
        for stream in STREAMS:
            arrays[f"exposures/{stream}"] = getattr(run.facts.exposures, stream)[found.ids].astype(np.int64)
        arrays["planted"] = _is_planted(run, answer).astype(np.int8)
    arrays |= {f"indicator/{name}": values[found.ids] for name, values in answer.indicators.items()}
    if answer.census is not None:
        arrays["census"] = _census_verdicts(answer).astype(np.int8)
    if answer.worst is not None:
        worst = answer.worst
        arrays |= {
            "worst/ids": worst.ids,
            "worst/missed": worst.missed.astype(np.int64),
            "worst/rank": np.median(worst.rank, axis=1).astype(np.float32),
        }
        for name, values in (
            ("logprob", worst.logprob),
            ("copy_effect", worst.effect),
            ("logit_diff", worst.logit_diff),
        ):
            for end, column in zip(("", "/ci_low", "/ci_high"), student_t_columns(values.T), strict=True):
                arrays[f"worst/{name}{end}"] = column.astype(np.float32)
    return arrays


def _details(run: Run[CopyMapConfig], answer: Answer, by_exposures: list[dict[str, Any]]) -> dict[str, Any]:
    found, vocabulary = answer.found, answer.vocabulary
    worst = [] if answer.worst is None else answer.worst.ids.tolist()
    return {
        "n_appearances": found.rank.shape[1],
        "n_appearances_worst": None if answer.worst is None else answer.worst.rank.shape[1],
        "thresholds": list(run.exp.thresholds),
        "left_out": list(vocabulary.left_out),
        "is_complete": len(found.ids) == len(vocabulary.studied),
        "by_missed": np.bincount(found.missed, minlength=found.rank.shape[1] + 1).tolist(),
        "by_exposures": by_exposures,
        "calibration": {
            "where": vocabulary.common_from,
            "is_well_known": vocabulary.has_common,
            "by_missed": np.bincount(
                answer.calibration.missed, minlength=answer.calibration.rank.shape[1] + 1
            ).tolist(),
        },
        "main_indicator": answer.main_indicator,
        "unused_rule": answer.unused_rule,
        "worst": [
            {"id": token, "token": vocabulary.names[token], "kind": vocabulary.kinds[token].value} for token in worst
        ],
        "census": None if answer.census is None else answer.census.run_id,
    }
