"""Run every detector with every seed, and keep what it said at every budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from experiments.detectors.config import DetectorsConfig
from experiments.detectors.metrics import Comparison, Reports, summarise
from experiments.detectors.scores import score_report
from experiments.detectors.sensitivity import variants
from experiments.detectors.truth import Truth, establish_truth
from harness.glitch.census.families import WordingFamily
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.detectors import roster
from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.learnable import predict_from_others
from harness.glitch.detectors.magikarp import all_indicators
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView
from harness.glitch.detectors.viewing import unused_of, view_of
from harness.glitch.indicators import UnusedIds
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run

_NOTHING_COUNTS = (
    "No asked or echoed wording counts for this model, so there is no ground truth and no detector was run; the weight "
    "indicators are shown by themselves."
)
_ONE_FAMILY = (
    "Only {family} wordings count for this model, and copying does not: a glitch token here fails all of them, which "
    "may be the family's doing. A census by agreement would call such tokens undecided."
)
_COPYING_DECIDES = (
    "Only {family} wordings count for this model, so copying is the second family: a glitch token fails all of both, "
    "and a query that is failed is asked again by copying."
)


@dataclass(frozen=True)
class _Work:
    name: str
    """Of the detector, or of a variant of it."""
    detector: Detector
    seed: int
    budgets: tuple[int | None, ...]

    @property
    def item(self) -> str:
        """Names the work in records."""
        return f"{self.name}/{self.seed}" + ("/whole" if self.budgets == (None,) else "")


def measure(run: Run[DetectorsConfig]) -> Outcome:
    """The experiment from the model to its outcome."""
    with run.answering() as model:
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
        truth = establish_truth(run, interviewer)
        unused = unused_of(run, run.exp.unused_ids)
        ids = truth.ids.tolist() if truth.wordings else list(vocabulary.testable_ids)
        first = next(iter(truth.wordings), None)
        view = view_of(run, interviewer, ids, unused, truth.price, first, run.exp.bos, run.exp.chat)
        comparison = _compare(run, view, truth, unused)
    return summarise(run, comparison)


def _compare(run: Run[DetectorsConfig], view: ModelView, truth: Truth, unused: UnusedIds) -> Comparison:
    counts = run.facts.exposures
    exposures = None if counts is None else counts.total[view.ids]
    indicators = {kind.value: values[view.ids] for kind, values in all_indicators(view).items()}
    full = round(view.n * truth.price.usual)
    comparison = Comparison(view.ids, exposures, indicators, truth, unused, full, tuple(run.exp.budgets))
    if not truth.wordings:
        run.warn(_NOTHING_COUNTS)
        return comparison
    if len(set(truth.families)) == 1:
        run.warn(_ONE_FAMILY.format(family=truth.families[0]))
    elif WordingFamily.COPIED.value in truth.families:
        run.note(_COPYING_DECIDES.format(family=truth.families[0]))
    if not truth.n_glitch:
        run.note(f"No glitch tokens: all {view.n} tokens tested pass a wording that counts, so recall and F1 are not "
                 "defined; detectors were run all the same.")  # fmt: skip
    skipped = _skipped(run, view)
    detectors = {name: roster.make_detector(name, run.exp) for name in run.exp.detectors if name not in skipped}
    budgets = tuple(int(share * full) for share in run.exp.budgets)
    bounded = _run(run, view, truth, _works(run, detectors, budgets), len(budgets), "running detectors")
    whole = _run(run, view, truth, _works(run, _without_budget(run, detectors), (None,)), 1, "hunting to the end")
    with run.timer("learnable"):
        settings = roster.make_detector(ActiveCensus.name, run.exp)
        assert isinstance(settings, ActiveCensus)
        learnable = predict_from_others(view, truth.glitch, settings, run.seed)
    return replace(comparison, bounded=bounded, whole=whole, skipped=skipped, learnable=learnable)


def _works(
    run: Run[DetectorsConfig], detectors: Mapping[str, Detector], budgets: tuple[int | None, ...]
) -> list[_Work]:
    return [
        _Work(name, detector, run.seed + number, budgets)
        for name, detector in detectors.items()
        for number in range(run.exp.n_seeds if detector.is_random else 1)
    ]


def _without_budget(run: Run[DetectorsConfig], detectors: Mapping[str, Detector]) -> dict[str, Detector]:
    """Those that end by themselves, and GlitchHunter with other settings."""
    if not run.exp.without_budget:
        return {}
    found = {name: detector for name, detector in detectors.items() if detector.ends_by_itself}
    hunter = detectors.get(GlitchHunter.name)
    if run.exp.sensitivity and isinstance(hunter, GlitchHunter):
        found |= {f"{hunter.name}: {words}": variant for words, variant in variants(hunter).items()}
    return found


def _run(
    run: Run[DetectorsConfig], view: ModelView, truth: Truth, works: Sequence[_Work], n_reports: int, label: str
) -> dict[str, Reports]:
    batches = [Batch(work.item.replace("/", "-").replace(" ", "_"), work) for work in works]
    shards = compute_batches(run, batches, _detects(run, view, truth), _rows(truth), label)
    found: dict[str, list[Mapping[str, np.ndarray]]] = {}
    for work, shard in zip(works, shards, strict=True):
        found.setdefault(work.name, []).append(shard)
    return {name: Reports.gather(parts, n_reports, view.n) for name, parts in found.items()}


def _skipped(run: Run[DetectorsConfig], view: ModelView) -> dict[str, str]:
    """Detectors that cannot be run on this model, and why."""
    skipped = {}
    for name in run.exp.detectors:
        reason = roster.make_detector(name, run.exp).obstacle(view)
        if reason is not None:
            skipped[name] = reason
            run.note(f"{name} was left out: {reason}.")
    return skipped


def _detects(
    run: Run[DetectorsConfig], view: ModelView, truth: Truth
) -> Callable[[Batch[_Work]], dict[str, np.ndarray]]:
    def compute(batch: Batch[_Work]) -> dict[str, np.ndarray]:
        work = batch.work
        with run.timer(f"detector/{work.name}"):
            reports = work.detector.detect(view, truth.oracle, work.budgets, work.seed)
        return _arrays(view, reports)

    return compute


def _arrays(view: ModelView, reports: Sequence[Report]) -> dict[str, np.ndarray]:
    def mask(ids: Int[np.ndarray, " some"]) -> Bool[np.ndarray, " token"]:
        chosen = np.zeros(view.n, dtype=bool)
        chosen[view.place[ids]] = True
        return chosen

    return {
        "asked": np.stack([mask(report.asked) for report in reports]).astype(np.int8),
        "fails": np.stack([mask(report.asked[report.fails]) for report in reports]).astype(np.int8),
        "predicted": np.stack([mask(report.predicted) for report in reports]).astype(np.int8),
        "probability": np.stack([report.probability for report in reports]).astype(np.float32),
        "spent": np.array([report.spent for report in reports], dtype=np.int64),
        "spent_on_passes": np.array([report.spent_on_passes for report in reports], dtype=np.int64),
    }


def _rows(truth: Truth) -> Callable[[Batch[_Work], Mapping[str, np.ndarray]], list[dict[str, Any]]]:
    """A record for each detector, seed and budget."""

    def rows(batch: Batch[_Work], arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        found = []
        for number, budget in enumerate(batch.work.budgets):
            scores = score_report({key: values[number] for key, values in arrays.items()}, truth)
            item = batch.work.item if budget is None else f"{batch.work.item}/{number}"
            row = {"item": item, "detector": batch.work.name, "seed": batch.work.seed, "budget": budget}
            found.append(row | scores)
        return found

    return rows
