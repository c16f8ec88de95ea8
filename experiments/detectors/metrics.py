"""From what every detector said to numbers, arrays and details."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.metrics import average_precision_score, precision_recall_curve

from experiments.detectors.config import DetectorsConfig
from experiments.detectors.scores import score_report
from experiments.detectors.truth import Truth
from harness.glitch.detectors import roster
from harness.glitch.detectors.scoring import confusion, roc_auc, roc_curve
from harness.glitch.indicators import UnusedIds
from harness.measure.exposures import EXPOSURE_RANGES, is_inside
from harness.measure.intervals import student_t, wilson
from harness.models.tokenizers import Tokenizer
from harness.runs.context import Outcome, Run
from harness.tokens.text import shown

Metrics = dict[str, float | int | str | None]

INDICATOR_PERCENTILE = 2.0
"""Land & Bartolo 2024 verify the 2 % with the lowest indicator."""
N_POINTS = 101
_SHARES = frozenset({
    "precision", "recall", "f1", "average_precision", "unasked_precision", "unasked_recall", "promised", "kept",
    "confirmed_precision", "confirmed_recall",
})  # fmt: skip
"""These lie between 0 and 1, and so do their intervals."""
_EXAMPLES = 20
_ARRAYS = ("asked", "fails", "predicted", "probability", "spent", "spent_on_passes")


@dataclass(frozen=True, eq=False)
class Reports:
    """What one detector said, seed by seed and budget by budget."""

    arrays: Mapping[str, np.ndarray]
    """[seed budget token], for positions [seed budget]."""

    @classmethod
    def gather(cls, shards: Sequence[Mapping[str, np.ndarray]], n_reports: int, n_tokens: int) -> "Reports":
        """From the stored shards."""
        found = cls({name: np.stack([shard[name] for shard in shards]) for name in _ARRAYS})
        assert found.arrays["asked"].shape == (len(shards), n_reports, n_tokens)
        return found

    @property
    def n_seeds(self) -> int:
        """How many runs."""
        return len(self.arrays["spent"])

    def scores(self, budget: int, truth: Truth) -> list[dict[str, float | int | None]]:
        """Of every seed at one budget (its place)."""
        return [
            score_report({name: values[seed, budget] for name, values in self.arrays.items()}, truth)
            for seed in range(self.n_seeds)
        ]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything a comparison found."""

    ids: Int[np.ndarray, " token"]
    exposures: Int[np.ndarray, " token"] | None
    indicators: Mapping[str, Float[np.ndarray, " token"]]
    truth: Truth
    unused: UnusedIds
    full: int
    """Token positions of asking every token once in the cheapest wording."""
    budgets: tuple[float, ...]
    """Shares of `full`."""
    bounded: Mapping[str, Reports] = field(default_factory=dict)
    """At every budget, by detector."""
    whole: Mapping[str, Reports] = field(default_factory=dict)
    """Without a budget, by detector or variant of one."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    learnable: Float[np.ndarray, " token"] | None = None
    """P(glitch) of every token learnt from the verdicts on others; None: too few of one kind."""

    @property
    def glitch(self) -> Bool[np.ndarray, " token"] | None:
        """None where nothing can be said about this model's tokens."""
        return self.truth.glitch if self.truth.wordings else None


def budget_key(share: float) -> str:
    """The part of a metric's name that says the budget: `at_2` for 2 %."""
    return f"at_{100 * share:g}"


def summarise(run: Run[DetectorsConfig], found: Comparison) -> Outcome:
    """Metrics, arrays and details."""
    metrics = _truth_metrics(found) | _indicator_metrics(found)
    scores = {
        (name, share): reports.scores(number, found.truth)
        for name, reports in found.bounded.items()
        for number, share in enumerate(found.budgets)
    }
    for (name, share), seeds in scores.items():
        metrics |= _detector_metrics(f"{name}/{budget_key(share)}", seeds, found.full)
    for name, reports in found.whole.items():
        metrics |= _detector_metrics(f"whole/{name}", reports.scores(0, found.truth), found.full)
    metrics |= _leads(found, scores) | _learnable_metrics(found)
    return Outcome(metrics, _arrays(found), _details(run, found))


def _truth_metrics(found: Comparison) -> Metrics:
    n_glitch = None if found.glitch is None else found.truth.n_glitch
    tested = 0 if found.glitch is None else len(found.ids)
    metrics: Metrics = {"truth/tested": tested, "truth/glitch_tokens": n_glitch}
    if n_glitch is None:
        metrics |= {f"truth/{key}": None for key in ("glitch_rate", "glitch_rate/ci_low", "glitch_rate/ci_high")}
    else:
        metrics |= wilson(n_glitch, tested).metrics("truth/glitch_rate")
        fails = int(found.truth.fails.sum())
        metrics |= {"truth/query_fails": fails, "truth/query_precision": n_glitch / fails if fails else None}
    metrics |= {
        "price/usual": found.truth.price.usual,
        "price/most": found.truth.price.most,
        "price/every_token_once": found.full,
    }
    for low, high, n, failed in _buckets(found):
        metrics |= wilson(failed, n).metrics(f"p_glitch/exposures_{low}_{high or ''}")
    return metrics


def _buckets(found: Comparison) -> Iterator[tuple[int, int | None, int, int]]:
    """(low, high, tokens, glitch tokens) of each range of training counts that any token falls into."""
    if found.exposures is None or found.glitch is None:
        return
    for low, high in EXPOSURE_RANGES:
        inside = is_inside(found.exposures, low, high)
        if inside.any():
            yield low, high, int(inside.sum()), int((inside & found.glitch).sum())


def _detector_metrics(prefix: str, seeds: Sequence[Mapping[str, float | int | None]], full: int) -> Metrics:
    metrics: Metrics = {}
    for key in seeds[0]:
        metrics |= _over_seeds(f"{prefix}/{key}", [score[key] for score in seeds])
    return metrics | _over_seeds(f"{prefix}/spent_share", [(score["spent"] or 0) / full for score in seeds])


def _over_seeds(name: str, values: Sequence[float | int | None]) -> Metrics:
    kept = [value for value in values if value is not None]
    # A mean over only those seeds that have a value would be biased upwards, so it is undefined if any has none.
    if not kept or len(kept) < len(values):
        return {name: None, f"{name}/ci_low": None, f"{name}/ci_high": None}
    found = student_t(np.asarray(kept, dtype=np.float64))
    if name.rsplit("/", 1)[-1] in _SHARES and found.low is not None and found.high is not None:
        found = replace(found, low=max(0.0, found.low), high=min(1.0, found.high))
    return dict(found.metrics(name))


def _leads(found: Comparison, scores: Mapping[tuple[str, float], Sequence[Mapping[str, Any]]]) -> Metrics:
    """By how much each of ours is ahead of the best other detector in F1, at each budget.

    The best is the one with the highest mean here, which favours it; differences are taken seed by seed.
    """
    ours = {kind.name for kind in roster.DETECTORS if kind.is_ours}
    others = [name for name in found.bounded if name not in ours]
    metrics: Metrics = {}
    if not others or not found.truth.n_glitch:
        return metrics
    for share in found.budgets:
        f1 = {name: [score["f1"] for score in scores[name, share]] for name in found.bounded}
        best = max(others, key=lambda name: float(np.mean(f1[name])))
        metrics[f"best_other/{budget_key(share)}"] = best
        metrics |= _over_seeds(f"best_other/{budget_key(share)}/f1", f1[best])
        for name in ours & set(found.bounded):
            others_f1 = f1[best] if len(f1[best]) == len(f1[name]) else [float(np.mean(f1[best]))] * len(f1[name])
            leads = [own - other for own, other in zip(f1[name], others_f1, strict=True)]
            metrics |= _over_seeds(f"{name}/{budget_key(share)}/f1_lead", leads)
    return metrics


def _learnable_metrics(found: Comparison) -> Metrics:
    """Of predictions that know nine tenths of the verdicts, not a token's own, at the cut that is best by the truth."""
    if found.learnable is None:
        return {"learnable/f1": None, "learnable/average_precision": None}
    precision, recall, _ = precision_recall_curve(found.truth.glitch, found.learnable)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    average = average_precision_score(found.truth.glitch, found.learnable)
    return {"learnable/f1": float(f1.max()), "learnable/average_precision": float(average)}


def _indicator_metrics(found: Comparison) -> Metrics:
    if found.glitch is None:
        return {}
    metrics: Metrics = {}
    for name, values in found.indicators.items():
        counts = confusion(values <= np.percentile(values, INDICATOR_PERCENTILE), found.glitch)
        metrics |= {
            f"indicator/{name}/precision": counts.precision,
            f"indicator/{name}/recall": counts.recall,
            f"indicator/{name}/roc_auc": roc_auc(-values, found.glitch),
        }
    return metrics


def _arrays(found: Comparison) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"ids": found.ids}
    if found.exposures is not None:
        arrays["exposures"] = found.exposures.astype(np.int64)
    arrays |= {f"indicator/{name}": values.astype(np.float32) for name, values in found.indicators.items()}
    if found.glitch is None:
        return arrays
    fpr = np.linspace(0, 1, N_POINTS)
    arrays |= {
        "glitch": found.glitch.astype(np.int8),
        "query_fails": found.truth.fails.astype(np.int8),
        "query_margin": found.truth.margin.astype(np.float32),
        "query_positions": found.truth.positions,
        "fpr": fpr,
    }
    for name, values in found.indicators.items():
        arrays[f"indicator/{name}/roc"] = roc_curve(-values, found.glitch, fpr)
    for name, reports in found.bounded.items():
        arrays[f"{name}/asked"] = reports.arrays["asked"]
        arrays[f"{name}/predicted"] = reports.arrays["predicted"]
        # One seed's: this is what takes room.
        arrays[f"{name}/probability"] = reports.arrays["probability"][0]
    return arrays


def _details(run: Run[DetectorsConfig], found: Comparison) -> dict[str, Any]:
    return {
        "truth": {
            "wordings": list(found.truth.wordings),
            "families": list(found.truth.families),
            "calibration": found.truth.calibration,
        },
        "detectors": list(found.bounded),
        "whole": list(found.whole),
        "skipped": dict(found.skipped),
        "n_seeds": {name: reports.n_seeds for name, reports in (*found.bounded.items(), *found.whole.items())},
        "is_sample": run.exp.n_tokens is not None,
        "indicators": list(found.indicators),
        "unused": {"rule": found.unused.rule, "ids": list(found.unused.ids)},
        "budgets": list(found.budgets),
        "full": found.full,
        "by_exposures": [
            {"low": low, "high": high, "n": n, "glitch": failed, "mean": _mean_exposures(found, low, high)}
            for low, high, n, failed in _buckets(found)
        ],
        "promises": {name: _promises(reports, found) for name, reports in found.bounded.items()},
        "mistakes": {
            name: _mistakes(reports, found, run.tokenizer)
            for name, reports in found.bounded.items()
            if any(kind.is_ours for kind in roster.DETECTORS if kind.name == name)
        },
    }


def _mean_exposures(found: Comparison, low: int, high: int | None) -> float:
    assert found.exposures is not None
    return float(found.exposures[is_inside(found.exposures, low, high)].mean())


_BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)


def _promises(reports: Reports, found: Comparison) -> list[dict[str, float | int]]:
    """Of tokens not queried, over all seeds and budgets: what was promised, and what is so."""
    is_open = reports.arrays["asked"] == 0
    probability = reports.arrays["probability"][is_open]
    glitch = np.broadcast_to(found.truth.glitch, is_open.shape)[is_open]
    bins = np.clip(np.searchsorted(_BINS, probability, side="right") - 1, 0, len(_BINS) - 2)
    return [
        {
            "n": int((bins == number).sum()),
            "promised": float(probability[bins == number].mean()),
            "glitch": float(glitch[bins == number].mean()),
        }
        for number in range(len(_BINS) - 1)
        if (bins == number).any()
    ]


def _mistakes(reports: Reports, found: Comparison, tokenizer: Tokenizer | None) -> dict[str, list[dict[str, Any]]]:
    """A few tokens that the first seed reported wrongly or missed with the largest budget."""
    predicted = reports.arrays["predicted"][0, -1].astype(bool)
    kinds = {"false_alarms": predicted & ~found.truth.glitch, "missed": ~predicted & found.truth.glitch}
    return {
        kind: [
            {
                "id": int(found.ids[place]),
                "token": shown(tokenizer.token_text(int(found.ids[place]))) if tokenizer else str(found.ids[place]),
                "exposures": None if found.exposures is None else int(found.exposures[place]),
            }
            for place in np.flatnonzero(mask)[:_EXAMPLES].tolist()
        ]
        for kind, mask in kinds.items()
    }
