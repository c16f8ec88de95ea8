"""Indicators of every token, candidates, and their verification with three prompts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.undertrained.config import PROMPTS, UndertrainedConfig
from experiments.undertrained.data import Verified, Weights
from experiments.undertrained.metrics import summarise
from experiments.undertrained.verifier import Verifier
from harness.errors import Rejected, RunFailed
from harness.glitch.census.calibration import well_known
from harness.glitch.census.verdict import LEAST_PASS_RATE
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.indicators import UnusedIds, check_reference, known_unused_ids, main_indicator, weight_indicators
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.magikarp import VERIFIED_BELOW, classify_verification, is_candidate, superstrings
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Outcome, Run
from harness.tokens.text import shown
from harness.tokens.vocabulary_audit import AuditedToken, ByteType, Category, VocabularyAudit, audit_vocabulary

_SHARD = 64
_MOST_KNOWN = 128


def measure(run: Run[UndertrainedConfig]) -> Outcome:
    """Indicators from the weights, then the verification of the candidates."""
    audit = audit_vocabulary(run.tokenizer, run.facts.d_vocab)
    if not _is_ok(audit).any():
        raise RunFailed("no text leads to any ordinary token of this tokenizer: there is nothing to verify")
    with run.answering() as model:
        weights = _weights(run, model)
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        candidate, threshold = is_candidate(weights.ranking, _is_ok(audit), _is_special(audit), run.exp.percentile)
        order = np.argsort(weights.ranking, kind="stable")
        ids = tuple(int(i) for i in order if candidate[i])
        verifier = Verifier(run, model)
        calibration = _calibrate(run, verifier)
        verified = _verify(run, verifier, weights, audit, vocabulary, ids)
        controls = _verify_controls(run, verifier, _is_ok(audit) & ~candidate)
    return summarise(run, audit, weights, threshold, verifier, calibration, verified, controls, vocabulary)


def _weights(run: Run[UndertrainedConfig], model: CausalModel) -> Weights:
    try:
        unused = known_unused_ids(run.evidence, run.exp.unused_ids)
    except Rejected:
        if model.is_tied:
            raise
        # Untied: the input norm needs none.
        unused = UnusedIds((), "none known")
    unembedding = model.unembedding().float().cpu().numpy()[: run.facts.d_vocab]
    embedding = None if model.is_tied else model.embedding().float().cpu().numpy()[: run.facts.d_vocab]
    with run.timer("indicators"):
        found = weight_indicators(unembedding, unused.ids, embedding)
        check = check_reference(unembedding, unused.ids, run.evidence.ordinary_ids(), embedding)
    return Weights(found, main_indicator(model.is_tied), model.is_tied, unused, check)


def _is_ok(audit: VocabularyAudit) -> np.ndarray:
    """Reachable ordinary tokens: Magikarp counts single bytes that are characters of their own among them."""
    return np.array([token.category is Category.OK or _is_reached_byte(token) for token in audit.tokens])


def _is_reached_byte(token: AuditedToken) -> bool:
    return token.byte_type is ByteType.ASCII and token.is_reachable


def _is_special(audit: VocabularyAudit) -> np.ndarray:
    return np.array([token.category is Category.SPECIAL and token.is_reachable for token in audit.tokens])


def _calibrate(run: Run[UndertrainedConfig], verifier: Verifier) -> dict[str, Any]:
    """How many well-known tokens the model predicts when prompted for them; if few, a verified token means nothing."""
    tokens = well_known(PROMPTS[0], run.organism, run.pools)
    ids = tokens.ids
    if len(ids) > _MOST_KNOWN:
        ids = tuple(int(i) for i in np.random.default_rng([run.seed, 4]).permutation(ids)[:_MOST_KNOWN])
    if not ids or not verifier.questions:
        run.warn("The verification is uninformative for this model: no prompt fits, or no token is known well.")
        return {"n": 0, "said": 0, "where": tokens.where, "informative": False}
    (arrays,) = compute_batches(
        run,
        [Batch("calibration", ids, len(ids))],
        lambda batch: verifier.ask(batch.work),
        no_rows,
        "trying the prompts",
    )
    best = np.max(np.stack([arrays[f"{task.value}/prob"] for task in verifier.questions]), axis=0)
    n_predicted = int((best >= VERIFIED_BELOW).sum())
    informative = n_predicted / len(ids) >= LEAST_PASS_RATE
    if not informative:
        run.warn(
            f"The verification is uninformative for this model: {n_predicted} of {len(ids)} tokens it should know well "
            f"get a probability of {VERIFIED_BELOW} or more ({tokens.where}), needed: {LEAST_PASS_RATE}"
        )
    return {"n": len(ids), "said": n_predicted, "where": tokens.where, "informative": informative}


def _verify(
    run: Run[UndertrainedConfig],
    verifier: Verifier,
    weights: Weights,
    audit: VocabularyAudit,
    vocabulary: CensusVocabulary,
    ids: tuple[int, ...],
) -> Verified:
    counts = None if run.facts.exposures is None else run.facts.exposures.total

    def rows(batch: Batch[tuple[int, ...]], arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        found = _collect(verifier, batch.work, [arrays])
        built = []
        for place, token in enumerate(batch.work):
            best = float(found.max_prob[place])
            verified = bool(found.is_verified[place])
            swallowed = superstrings(audit.tokens[token].text, token, vocabulary.texts) if verified else []
            built.append(
                {
                    "item": str(token),
                    "id": token,
                    "token": shown(vocabulary.names[token]),
                    "category": audit.tokens[token].category.value,
                    **{f"indicator/{name.value}": float(values[token]) for name, values in weights.indicators.items()},
                    "max_prob": best,
                    **{f"{task.value}/max_prob": float(values[place]) for task, values in found.by_prompt.items()},
                    **{
                        f"{task.value}/said": vocabulary.decode(values[place].tolist(), verifier.tokenizer)
                        for task, values in found.answer_ids.items()
                    },
                    "encodeable": bool(found.encodeable[place]),
                    "class": classify_verification(best, bool(found.encodeable[place])).value
                    if verifier.questions
                    else None,
                    "verified": verified,
                    "in_other_tokens": [shown(vocabulary.names[other]) for other in swallowed],
                    "exposures": None if counts is None else int(counts[token]),
                }
            )
        return built

    batches = [
        Batch(f"candidates-{start:06d}", ids[start : start + _SHARD], len(ids[start : start + _SHARD]))
        for start in range(0, len(ids), _SHARD)
    ]
    with run.timer("verify"):
        shards = compute_batches(run, batches, lambda batch: verifier.ask(batch.work), rows, "verifying candidates")
    return _collect(verifier, ids, shards)


def _verify_controls(run: Run[UndertrainedConfig], verifier: Verifier, is_eligible: np.ndarray) -> Verified:
    """Random tokens that the weights did not point at: how often do they fail the same prompts?"""
    drawn = np.random.default_rng([run.seed, 5]).permutation(np.flatnonzero(is_eligible))[: run.exp.controls]
    ids = tuple(int(i) for i in np.sort(drawn)) if verifier.questions else ()
    batches = [
        Batch(f"controls-{start:06d}", ids[start : start + _SHARD], len(ids[start : start + _SHARD]))
        for start in range(0, len(ids), _SHARD)
    ]
    with run.timer("verify"):
        shards = compute_batches(
            run, batches, lambda batch: verifier.ask(batch.work), no_rows, "verifying random tokens"
        )
    return _collect(verifier, ids, shards)


def _collect(verifier: Verifier, ids: tuple[int, ...], shards: Sequence[Mapping[str, np.ndarray]]) -> Verified:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([shard[name] for shard in shards])

    if not shards:
        return Verified((), {}, np.zeros(0, dtype=bool), {})
    return Verified(
        ids,
        {task: joined(f"{task.value}/prob") for task in verifier.questions},
        joined("encodeable"),
        {task: joined(f"{task.value}/said") for task in verifier.questions},
    )
