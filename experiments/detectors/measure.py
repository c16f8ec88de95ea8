"""Run every detector with every seed, and keep what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.detectors.config import DetectorsConfig
from experiments.detectors.metrics import Comparison, Seeds, summarise
from experiments.detectors.truth import Truth, establish_truth
from harness.errors import Rejected
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import make_question
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.detectors import roster
from harness.glitch.detectors.ledger import DetectionResult
from harness.glitch.detectors.magikarp import all_indicators
from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.detectors.passes import ModelPasses
from harness.glitch.detectors.scoring import confusion, roc_auc
from harness.glitch.detectors.view import ModelView, make_view
from harness.glitch.indicators import UnusedIds, known_unused_ids
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run
from harness.tokens.prompts import TEMPLATES, Task
from harness.tokens.vocabulary_audit import Category, audit_vocabulary

_UNINFORMATIVE = (
    "Wordings of fewer than two families count for this model, so there is no ground truth and no detector was run; "
    "the weight indicators are shown by themselves."
)


@dataclass(frozen=True)
class _Work:
    name: str
    seed: int


def measure(run: Run[DetectorsConfig]) -> Outcome:
    """The experiment from the model to its outcome."""
    with run.answering() as model:
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
        truth = establish_truth(run, interviewer)
        unused = _unused_ids(run)
        view = _view(run, interviewer, truth, unused)
        comparison = _compare(run, view, truth, unused)
    return summarise(run, comparison)


def _unused_ids(run: Run[DetectorsConfig]) -> UnusedIds:
    try:
        return known_unused_ids(run.evidence, run.exp.unused_ids or None)
    except Rejected:
        run.note(
            "No id of this model is known to be unused, so indicators that need one are left out; magikarp ranks by "
            "the norm of the row."
        )
        return UnusedIds((), "none known")


def _view(run: Run[DetectorsConfig], interviewer: Interviewer, truth: Truth, unused: UnusedIds) -> ModelView:
    model, vocabulary = interviewer.model, interviewer.vocabulary
    ids = truth.ids.tolist() if truth.wordings else list(vocabulary.testable_ids)
    audit = audit_vocabulary(run.tokenizer, run.facts.d_vocab)
    normal = {token.id for token in audit.of(Category.OK)}
    # GlitchMiner's filter knows no category for bytes: one that decodes is a token like any other.
    normal |= {token.id for token in audit.of(Category.BYTE) if token.byte is not None and token.byte < 128}
    tokenizer, facts = run.tokenizer, run.facts

    def question(task: Task) -> Any:
        return make_question(TEMPLATES[task], tokenizer, facts, run.exp.bos, run.exp.chat)

    repetition = question(Task.REPETITION)
    passes = ModelPasses(
        model,
        lambda: run.model,
        tokenizer,
        question(Task.GLITCHMINER),
        repetition,
        ("glitchhunter_chat" if repetition.is_chat else "glitchhunter") in truth.wordings,
        interviewer,
    )
    return make_view(
        facts,
        vocabulary,
        ids,
        model.embedding().float().cpu().numpy(),
        model.unembedding().float().cpu().numpy(),
        model.is_tied,
        unused.ids,
        normal,
        passes,
    )


def _compare(run: Run[DetectorsConfig], view: ModelView, truth: Truth, unused: UnusedIds) -> Comparison:
    counts = run.facts.exposures
    exposures = None if counts is None else counts.total[view.ids]
    indicators = {kind.value: values[view.ids] for kind, values in all_indicators(view).items()}
    budget = int(run.exp.budget_share * view.n) * view.queries_per_token
    if not truth.wordings:
        run.note(_UNINFORMATIVE)
        return Comparison(view.ids, None, exposures, indicators, {}, {}, truth, unused, view.queries_per_token, budget)
    skipped = _skipped(run, view)
    names = [name for name in run.exp.detectors if name not in skipped]
    if not truth.n_glitch:
        run.note(f"No glitch tokens: all {view.n} tokens tested pass a wording that counts, so recall and F1 are not "
                 "defined; detectors were run all the same.")  # fmt: skip
    works = [_Work(name, run.seed + number) for name in names for number in range(run.exp.n_seeds)]
    batches = [Batch(f"{work.name}-{work.seed}", work) for work in works]
    shards = compute_batches(run, batches, _detects(run, view, truth, budget), _rows(truth), "running detectors")
    found: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in names}
    for work, shard in zip(works, shards, strict=True):
        found[work.name].append(shard)
    seeds = {name: Seeds.gather(view, parts) for name, parts in found.items()}
    return Comparison(
        view.ids, truth.glitch, exposures, indicators, seeds, skipped, truth, unused, view.queries_per_token, budget
    )


def _skipped(run: Run[DetectorsConfig], view: ModelView) -> dict[str, str]:
    """Detectors that cannot be run on this model, and why."""
    assert view.passes is not None
    skipped = {}
    for name in roster.names():
        reason = roster.make_detector(name, run.exp).obstacle(view.passes) if name in run.exp.detectors else None
        if reason is not None:
            skipped[name] = reason
            run.note(f"{name} was left out: {reason}.")
    return skipped


def _detects(
    run: Run[DetectorsConfig], view: ModelView, truth: Truth, budget: int
) -> Callable[[Batch[_Work]], dict[str, np.ndarray]]:
    verdicts, price = truth.verdicts, round(truth.tokens_per_query)

    def compute(batch: Batch[_Work]) -> dict[str, np.ndarray]:
        work = batch.work
        oracle = TableOracle(verdicts, view.queries_per_token, price, budget)
        with run.timer(f"detector/{work.name}"):
            found = roster.make_detector(work.name, run.exp).detect(view, oracle, budget, work.seed)
        return _arrays(view, found)

    return compute


def _arrays(view: ModelView, found: DetectionResult) -> dict[str, np.ndarray]:
    def mask(ids: Int[np.ndarray, " some"]) -> np.ndarray:
        chosen = np.zeros(view.n, dtype=np.int8)
        chosen[view.place[ids]] = 1
        return chosen

    steps = [mask(snapshot.predicted) for snapshot in found.snapshots]
    return {
        "judged": found.judged,
        "verdicts": found.verdicts.astype(np.int8),
        "spent_after": found.spent_after,
        "predicted": mask(found.predicted),
        "scores": found.scores.astype(np.float32),
        "counts": np.array([found.n_queries, found.n_passes, found.n_passes_beyond, found.tokens_processed]),
        "progress/spent": np.array([snapshot.spent for snapshot in found.snapshots], dtype=np.int64),
        "progress/predicted": np.array(steps, dtype=np.int8).reshape(len(steps), view.n),
    }


def _rows(truth: Truth) -> Callable[[Batch[_Work], Mapping[str, np.ndarray]], list[dict[str, Any]]]:
    """A record for each detector and seed."""

    def rows(batch: Batch[_Work], arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        predicted: Bool[np.ndarray, " token"] = arrays["predicted"].astype(bool)
        scores: Float[np.ndarray, " token"] = arrays["scores"]
        counts = confusion(predicted, truth.glitch)
        n_queries, n_passes, beyond, positions = (int(value) for value in arrays["counts"])
        row: dict[str, Any] = {
            "item": f"{batch.work.name}/{batch.work.seed}",
            "detector": batch.work.name,
            "seed": batch.work.seed,
            "hits": counts.hits,
            "false_alarms": counts.false_alarms,
            "missed": counts.missed,
            "precision": counts.precision,
            "recall": counts.recall,
            "f1": counts.f1,
            "roc_auc": roc_auc(scores, truth.glitch),
            "tokens_asked": len(arrays["judged"]),
            "queries": n_queries,
            "passes": n_passes,
            "passes_beyond": beyond,
            "tokens_processed": positions,
        }
        return [row]

    return rows
