"""From what every detector did to numbers, arrays and details."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.detectors.config import DetectorsConfig
from experiments.detectors.truth import Truth
from harness.glitch.detectors import roster
from harness.glitch.detectors.scoring import confusion, ideal_curve, recall_auc, recall_curve, roc_auc, roc_curve
from harness.glitch.detectors.view import ModelView
from harness.glitch.indicators import UnusedIds
from harness.measure.exposures import EXPOSURE_RANGES, is_inside
from harness.measure.intervals import student_t, wilson
from harness.models.tokenizers import Tokenizer
from harness.runs.context import Outcome, Run
from harness.tokens.text import shown

Metrics = dict[str, float | int | str | None]

EXPOSURE_LIMITS = (0, 4, 64)
"""Tokens shown this often or less are the second ground truth."""
INDICATOR_PERCENTILE = 2.0
"""Land & Bartolo 2024 verify the 2 % with the lowest indicator."""
N_POINTS = 101
_PER_SEED = (
    "precision", "recall", "f1", "roc_auc", "queries_fraction", "budget_fraction", "recall_at_10pct",
    "asked_recall_at_10pct", "recall_auc", "tokens_processed", "predicted",
)  # fmt: skip
_SHARES = frozenset(_PER_SEED) - {"tokens_processed", "predicted", "queries_fraction"}
"""These lie between 0 and 1, and so do their intervals."""
_TENTH = 0.1
_EXAMPLES = 20


@dataclass(frozen=True, eq=False)
class Seeds:
    """What one detector did, seed by seed."""

    spent_after: tuple[Int[np.ndarray, " _"], ...]
    judged: tuple[Int[np.ndarray, " _"], ...]
    """Each seed may judge another number of tokens."""
    predicted: Bool[np.ndarray, "seed token"]
    scores: Float[np.ndarray, "seed token"]
    counts: Int[np.ndarray, "seed count"]
    """Queries, passes among them, passes beyond the budget, token positions."""
    progress_spent: tuple[Int[np.ndarray, " _"], ...]
    progress_predicted: tuple[Bool[np.ndarray, "_ token"], ...]

    @classmethod
    def gather(cls, view: ModelView, shards: Sequence[Mapping[str, np.ndarray]]) -> "Seeds":
        """From the stored shards; judged tokens become places in the view."""
        return cls(
            tuple(shard["spent_after"] for shard in shards),
            tuple(view.place[shard["judged"]] for shard in shards),
            np.stack([shard["predicted"] for shard in shards]).astype(bool),
            np.stack([shard["scores"] for shard in shards]),
            np.stack([shard["counts"] for shard in shards]),
            tuple(shard["progress/spent"] for shard in shards),
            tuple(shard["progress/predicted"].astype(bool) for shard in shards),
        )


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything a comparison found."""

    ids: Int[np.ndarray, " token"]
    glitch: Bool[np.ndarray, " token"] | None
    """None where nothing can be said about this model's tokens."""
    exposures: Int[np.ndarray, " token"] | None
    indicators: Mapping[str, Float[np.ndarray, " token"]]
    seeds: Mapping[str, Seeds]
    skipped: Mapping[str, str]
    truth: Truth
    unused: UnusedIds
    price: int
    """Queries that one verdict costs."""
    budget: int

    @property
    def full_price(self) -> int:
        """The cost of querying every token."""
        return len(self.ids) * self.price

    @property
    def grid(self) -> Int[np.ndarray, " point"]:
        """Where recall curves are read."""
        return np.unique(np.linspace(0, self.budget, N_POINTS).round().astype(np.int64))

    def truths(self) -> dict[str, Bool[np.ndarray, " token"]]:
        """Every ground truth there is: the census, and how often training showed a token."""
        found = {} if self.glitch is None else {"census": self.glitch}
        if self.exposures is not None:
            found |= {f"exposures_le_{limit}": self.exposures <= limit for limit in EXPOSURE_LIMITS}
        return found


def summarise(run: Run[DetectorsConfig], found: Comparison) -> Outcome:
    """Metrics, arrays and details."""
    metrics = _census_metrics(found)
    for name in roster.names():
        metrics |= _detector_metrics(name, found)
    metrics |= _indicator_metrics(found)
    return Outcome(metrics, _arrays(found), _details(run, found))


def _census_metrics(found: Comparison) -> Metrics:
    tested = 0 if found.glitch is None else len(found.ids)
    n_glitch = None if found.glitch is None else int(found.glitch.sum())
    metrics: Metrics = {"census/tested": tested, "census/glitch_tokens": n_glitch}
    if n_glitch is None:
        metrics |= {"census/glitch_rate": None, "census/glitch_rate/ci_low": None, "census/glitch_rate/ci_high": None}
    else:
        metrics |= wilson(n_glitch, tested).metrics("census/glitch_rate")
    metrics["recall_ceiling_at_10pct"] = min(1.0, int(_TENTH * tested) / n_glitch) if n_glitch else None
    metrics |= {"budget/queries": found.budget, "budget/queries_per_token": found.price}
    for low, high, n, failed in _buckets(found):
        metrics |= wilson(failed, n).metrics(f"p_glitch/exposures_{low}_{high or ''}")
    return metrics


def _buckets(found: Comparison) -> list[tuple[int, int | None, int, int]]:
    """(low, high, tokens, glitch tokens) of each range of training counts that any token falls into."""
    if found.exposures is None or found.glitch is None:
        return []
    rows = []
    for low, high in EXPOSURE_RANGES:
        inside = is_inside(found.exposures, low, high)
        if inside.any():
            rows.append((low, high, int(inside.sum()), int((inside & found.glitch).sum())))
    return rows


def _detector_metrics(name: str, found: Comparison) -> Metrics:
    seeds = found.seeds.get(name)
    metrics: Metrics = {}
    values = {} if seeds is None or found.glitch is None else _per_seed(seeds, found, found.glitch)
    for key in _PER_SEED:
        metrics |= _over_seeds(f"{name}/{key}", values.get(key, []))
    if seeds is None:
        return metrics
    for label, truth in found.truths().items():
        if label == "census":
            continue
        counts = [confusion(row, truth) for row in seeds.predicted]
        metrics |= _over_seeds(f"{name}/{label}/precision", [c.precision for c in counts])
        metrics |= _over_seeds(f"{name}/{label}/recall", [c.recall for c in counts])
        metrics |= _over_seeds(f"{name}/{label}/roc_auc", [roc_auc(row, truth) for row in seeds.scores])
    return metrics


def _per_seed(seeds: Seeds, found: Comparison, glitch: Bool[np.ndarray, " token"]) -> dict[str, list[float | None]]:
    n_glitch, grid = int(glitch.sum()), found.grid
    counts = [confusion(row, glitch) for row in seeds.predicted]
    ideal = ideal_curve(n_glitch, found.price, grid.tolist())
    curves = _curves(seeds, glitch, grid)
    tenth = [int(_TENTH * found.full_price)]
    at_tenth = _curves(seeds, glitch, np.asarray(tenth))[:, 0]
    queries, beyond, positions = seeds.counts[:, 0], seeds.counts[:, 2], seeds.counts[:, 3]
    return {
        "precision": [c.precision for c in counts],
        "recall": [c.recall for c in counts],
        "f1": [c.f1 for c in counts],
        "roc_auc": [roc_auc(row, glitch) for row in seeds.scores],
        "queries_fraction": ((queries + beyond) / found.full_price).tolist(),
        "budget_fraction": (queries / found.full_price).tolist(),
        "recall_at_10pct": _reported_at(tenth[0], seeds, glitch, at_tenth) if n_glitch else [],
        "asked_recall_at_10pct": at_tenth.tolist() if n_glitch else [],
        "recall_auc": [recall_auc(curve, ideal, grid.tolist()) for curve in curves] if n_glitch else [],
        "tokens_processed": positions.astype(float).tolist(),
        "predicted": seeds.predicted.sum(axis=1).astype(float).tolist(),
    }


def _reported_at(
    queries: int, seeds: Seeds, glitch: Bool[np.ndarray, " token"], asked: Float[np.ndarray, " seed"]
) -> list[float | None]:
    """Recall of what each seed would have reported after so many queries: its last report by then, if it made one that
    needed nothing beyond, else the tokens found by queries."""
    found: list[float | None] = []
    for row, counts in enumerate(seeds.counts):
        total = int(counts[0] + counts[2])
        reports = seeds.progress_predicted[row][seeds.progress_spent[row] <= queries]
        if total <= queries:
            found.append(confusion(seeds.predicted[row], glitch).recall)
        elif len(reports) and not counts[2]:
            found.append(confusion(reports[-1], glitch).recall)
        else:
            found.append(float(asked[row]))
    return found


def _curves(
    seeds: Seeds, glitch: Bool[np.ndarray, " token"], grid: Int[np.ndarray, " point"]
) -> Float[np.ndarray, "seed point"]:
    # A verdict that a detector reached by itself finds a glitch token only where the census agrees.
    return np.stack(
        [
            recall_curve(spent, glitch[judged] & predicted[judged], int(glitch.sum()), grid.tolist())
            for spent, judged, predicted in zip(seeds.spent_after, seeds.judged, seeds.predicted, strict=True)
        ]
    )


def _over_seeds(name: str, values: Sequence[float | None]) -> Metrics:
    kept = [value for value in values if value is not None]
    # A mean over only those seeds that have a value would be biased upwards, so it is undefined if any has none.
    if not kept or len(kept) < len(values):
        return {name: None, f"{name}/ci_low": None, f"{name}/ci_high": None}
    found = student_t(np.asarray(kept, dtype=np.float64))
    if name.rsplit("/", 1)[-1] in _SHARES and found.low is not None and found.high is not None:
        found = replace(found, low=max(0.0, found.low), high=min(1.0, found.high))
    return dict(found.metrics(name))


def _indicator_metrics(found: Comparison) -> Metrics:
    metrics: Metrics = {}
    for name, values in found.indicators.items():
        lowest = values <= np.percentile(values, INDICATOR_PERCENTILE)
        for label, truth in found.truths().items():
            prefix = f"indicator/{name}" if label == "census" else f"indicator/{name}/{label}"
            counts = confusion(lowest, truth)
            metrics |= {
                f"{prefix}/precision": counts.precision,
                f"{prefix}/recall": counts.recall,
                f"{prefix}/roc_auc": roc_auc(-values, truth),
            }
    return metrics


def _arrays(found: Comparison) -> dict[str, np.ndarray]:
    fpr = np.linspace(0, 1, N_POINTS)
    arrays: dict[str, np.ndarray] = {"ids": found.ids, "fpr": fpr}
    if found.exposures is not None:
        arrays["exposures"] = found.exposures.astype(np.int64)
    for label, truth in found.truths().items():
        for name, values in found.indicators.items():
            arrays[f"indicator/{name}/roc/{label}"] = roc_curve(-values, truth, fpr)
        for name, seeds in found.seeds.items():
            arrays[f"{name}/roc/{label}"] = np.mean([roc_curve(row, truth, fpr) for row in seeds.scores], axis=0)
    if found.glitch is None:
        return arrays
    arrays |= {
        "glitch": found.glitch.astype(np.int8),
        "grid": found.grid,
        "ideal": ideal_curve(int(found.glitch.sum()), found.price, found.grid.tolist()),
    }
    for name, seeds in found.seeds.items():
        arrays |= {
            f"{name}/recall_curve": _curves(seeds, found.glitch, found.grid),
            f"{name}/predicted": seeds.predicted.astype(np.int8),
            f"{name}/scores": seeds.scores.astype(np.float32),
        }
        arrays |= _progress(name, seeds, found.glitch)
    return arrays


def _progress(name: str, seeds: Seeds, glitch: Bool[np.ndarray, " token"]) -> dict[str, np.ndarray]:
    n_steps = max((len(spent) for spent in seeds.progress_spent), default=0)
    if not n_steps:
        return {}
    spent = np.full((len(seeds.progress_spent), n_steps), -1, dtype=np.int64)
    f1 = np.full(spent.shape, np.nan)
    for row, (queries, predicted) in enumerate(zip(seeds.progress_spent, seeds.progress_predicted, strict=True)):
        spent[row, : len(queries)] = queries
        scores = [confusion(step, glitch).f1 for step in predicted]
        f1[row, : len(queries)] = [np.nan if score is None else score for score in scores]
    return {f"{name}/progress/spent": spent, f"{name}/progress/f1": f1}


def _details(run: Run[DetectorsConfig], found: Comparison) -> dict[str, Any]:
    return {
        "truth": {
            "source": found.truth.source,
            "wordings": list(found.truth.wordings),
            "tokens_per_query": found.truth.tokens_per_query,
            "calibration": found.truth.calibration,
        },
        "detectors": list(found.seeds),
        "skipped": dict(found.skipped),
        "n_seeds": run.exp.n_seeds,
        "indicators": list(found.indicators),
        "unused": {"rule": found.unused.rule, "ids": list(found.unused.ids)},
        "budget": found.budget,
        "budget_share": run.exp.budget_share,
        "price": found.price,
        "by_exposures": [
            {"low": low, "high": high, "n": n, "glitch": failed, "mean": _mean_exposures(found, low, high)}
            for low, high, n, failed in _buckets(found)
        ],
        "mistakes": {name: _mistakes(seeds, found, run.tokenizer) for name, seeds in found.seeds.items()},
    }


def _mean_exposures(found: Comparison, low: int, high: int | None) -> float:
    assert found.exposures is not None
    inside = is_inside(found.exposures, low, high)
    return float(found.exposures[inside].mean())


def _mistakes(seeds: Seeds, found: Comparison, tokenizer: Tokenizer | None) -> dict[str, list[dict[str, Any]]]:
    """A few tokens that the first seed reported wrongly or missed."""
    assert found.glitch is not None
    predicted = seeds.predicted[0]
    kinds = {"false_alarms": predicted & ~found.glitch, "missed": ~predicted & found.glitch}
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
