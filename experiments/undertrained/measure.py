"""Indicators of every token, candidates, and their verification with three prompts."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.undertrained import PROMPTS
from harness.behaviour.causal_model import CausalModel
from harness.behaviour.magikarp import (
    VERIFIED_BELOW,
    VerificationClass,
    classify_verification,
    is_candidate,
    soft_threshold,
    superstrings,
)
from harness.behaviour.verification import target_probabilities
from harness.census.calibration import well_known
from harness.census.questions import ChatRule, Question, make_question
from harness.census.verdict import LEAST_PASS_RATE
from harness.census.vocabulary import CensusVocabulary
from harness.errors import Rejected
from harness.indicators import Indicator, UnusedIds, known_unused_ids, main_indicator, weight_indicators
from harness.measure.intervals import wilson
from harness.prompts import TEMPLATES, Task
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run
from harness.tokens.text import shown
from harness.vocabulary.audit import ByteType, Category, VocabularyAudit, audit_vocabulary

PUBLISHED = Path(__file__).with_name("published.json")
CATEGORIES = tuple(category.value for category in Category)
_N_STEPS = 3
_SHARD = 64
_MOST_KNOWN = 128
_MOST_LISTED = 400
_EXPOSURE_BUCKETS = ((0, 1), (1, 5), (5, 17), (17, 65), (65, 257), (257, 1000), (1000, None))


@dataclass(frozen=True)
class Weights:
    """What the weights say of every token."""

    indicators: Mapping[Indicator, np.ndarray]
    main: Indicator
    is_tied: bool
    unused: UnusedIds

    @property
    def ranking(self) -> np.ndarray:
        """The main indicator; low is suspicious."""
        return self.indicators[self.main]


@dataclass(frozen=True)
class Verified:
    """Candidates, ascending by the main indicator, with their probability under every prompt that fits."""

    ids: tuple[int, ...]
    by_prompt: Mapping[Task, np.ndarray]
    encodeable: np.ndarray
    said: Mapping[Task, np.ndarray]

    @property
    def max_prob(self) -> np.ndarray:
        """The largest probability over prompts and positions."""
        if not self.by_prompt:
            return np.full(len(self.ids), np.nan)
        best: np.ndarray = np.max(np.stack(list(self.by_prompt.values())), axis=0)
        return best

    @property
    def is_verified(self) -> np.ndarray:
        """The reporting rule; nothing is verified where no prompt fits."""
        return self.max_prob < VERIFIED_BELOW


class _Verifier:
    """The model with the prompts that fit its window."""

    def __init__(self, run: Run, model: CausalModel) -> None:
        assert run.tokenizer is not None and run.facts is not None
        self.run, self.model, self.tokenizer = run, model, run.tokenizer
        self.questions: dict[Task, Question] = {}
        self.all_questions: dict[Task, Question] = {}
        for task in PROMPTS:
            question = make_question(
                TEMPLATES[task], run.tokenizer, run.facts, run.exp.bos, ChatRule.NEVER, max_new_tokens=_N_STEPS
            )
            self.all_questions[task] = question
            needed = len(question.prompt(0, run.tokenizer)) + _N_STEPS
            if model.n_ctx is None or needed <= model.n_ctx:
                self.questions[task] = question
            else:
                run.note(f"{task.value} is left out: {needed} tokens, the window holds {model.n_ctx}")

    def ask(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Probabilities [token] and what was said [token step] for every prompt."""
        arrays: dict[str, np.ndarray] = {}
        survives = np.zeros(len(ids), dtype=bool)
        for task, question in self.questions.items():
            prompts = {token: question.prompt(token, self.tokenizer) for token in ids}
            found = target_probabilities(self.model, ids, prompts.__getitem__, _N_STEPS, self.run.exp.batch_size)
            arrays[f"{task.value}/prob"] = found.highest.astype(np.float32)
            arrays[f"{task.value}/said"] = np.array(found.said, dtype=np.int64).reshape(len(ids), _N_STEPS)
            survives |= self._encodeable(question, ids)
        return arrays | {"encodeable": survives}

    def _encodeable(self, question: Question, ids: Sequence[int]) -> np.ndarray:
        rows = [question.prompt(i, self.tokenizer)[len(question.bos) :] for i in ids]
        again = self.tokenizer.encode_batch(self.tokenizer.decode_batch(rows))
        return np.array([token in row for token, row in zip(ids, again, strict=True)], dtype=bool)


def measure_undertrained(run: Run) -> Outcome:
    """Indicators from the weights, then the verification of the candidates."""
    assert run.identity is not None and run.facts is not None and run.tokenizer is not None
    audit = audit_vocabulary(run.tokenizer, run.facts.d_vocab)
    with run.timer("load"):
        model = CausalModel.load(run.identity, run.config.model)
    try:
        weights = _weights(run, model)
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        candidate, threshold = is_candidate(
            weights.ranking, _is_ok(run, audit), _is_special(run, audit), run.exp.percentile
        )
        order = np.argsort(weights.ranking, kind="stable")
        ids = tuple(int(i) for i in order if candidate[i])
        verifier = _Verifier(run, model)
        calibration = _calibrate(run, verifier)
        verified = _verify(run, verifier, weights, audit, vocabulary, ids)
    finally:
        model.close()
    return _summarise(run, audit, weights, threshold, verifier, calibration, verified, vocabulary)


def _weights(run: Run, model: CausalModel) -> Weights:
    assert run.facts is not None
    try:
        unused = known_unused_ids(run.facts, run.exp.unused_ids)
    except Rejected:
        if model.is_tied:
            raise
        # Untied: the input norm needs none.
        unused = UnusedIds((), "none known")
    unembedding = model.unembedding().float().cpu().numpy()[: run.facts.d_vocab]
    embedding = None if model.is_tied else model.embedding().float().cpu().numpy()[: run.facts.d_vocab]
    with run.timer("indicators"):
        found = weight_indicators(unembedding, unused.ids, embedding)
    return Weights(found, main_indicator(model.is_tied), model.is_tied, unused)


def _is_ok(run: Run, audit: VocabularyAudit) -> np.ndarray:
    """Reachable ordinary tokens: Magikarp counts single bytes that are characters of their own among them."""
    assert run.tokenizer is not None
    ascii_bytes = [t for t in audit.of(Category.BYTE) if t.byte_type is ByteType.ASCII]
    encoded = run.tokenizer.encode_batch([token.text for token in ascii_bytes])
    reachable = {t.id for t, ids in zip(ascii_bytes, encoded, strict=True) if ids == [t.id]}
    return np.array([token.category is Category.OK or token.id in reachable for token in audit.tokens])


def _is_special(run: Run, audit: VocabularyAudit) -> np.ndarray:
    assert run.tokenizer is not None
    special = list(audit.of(Category.SPECIAL))
    encoded = run.tokenizer.encode_batch([token.text for token in special])
    reachable = {token.id for token, ids in zip(special, encoded, strict=True) if ids == [token.id]}
    return np.array([token.id in reachable for token in audit.tokens])


def _calibrate(run: Run, verifier: _Verifier) -> dict[str, Any]:
    """The share of tokens the model knows well that it says when asked: without it a verified token means nothing."""
    tokens = well_known(PROMPTS[0], run.organism, run.pools)
    ids = tokens.ids
    if len(ids) > _MOST_KNOWN:
        ids = tuple(int(i) for i in np.random.default_rng([run.seed, 4]).permutation(ids)[:_MOST_KNOWN])
    if not ids or not verifier.questions:
        run.note("The verification is uninformative for this model: no prompt fits, or no token is known well.")
        return {"n": 0, "said": 0, "where": tokens.where, "informative": False}
    (arrays,) = compute_batches(
        run,
        [Batch("calibration", ids, len(ids))],
        lambda batch: verifier.ask(batch.work),
        _no_rows,
        "trying the prompts",
    )
    best = np.max(np.stack([arrays[f"{task.value}/prob"] for task in verifier.questions]), axis=0)
    said = int((best >= VERIFIED_BELOW).sum())
    informative = said / len(ids) >= LEAST_PASS_RATE
    if not informative:
        run.note(
            f"The verification is uninformative for this model: {said} of {len(ids)} tokens it should know well get a "
            f"probability of {VERIFIED_BELOW} or more ({tokens.where}), needed: {LEAST_PASS_RATE}"
        )
    return {"n": len(ids), "said": said, "where": tokens.where, "informative": informative}


def _no_rows(_: Any, __: Any) -> list[dict[str, Any]]:
    return []


def _verify(
    run: Run,
    verifier: _Verifier,
    weights: Weights,
    audit: VocabularyAudit,
    vocabulary: CensusVocabulary,
    ids: tuple[int, ...],
) -> Verified:
    counts = None if run.facts is None or run.facts.exposures is None else run.facts.exposures.total

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
                        for task, values in found.said.items()
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


def _collect(verifier: _Verifier, ids: tuple[int, ...], shards: Sequence[Mapping[str, np.ndarray]]) -> Verified:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([shard[name] for shard in shards])

    return Verified(
        ids,
        {task: joined(f"{task.value}/prob") for task in verifier.questions},
        joined("encodeable") if shards else np.zeros(0, dtype=bool),
        {task: joined(f"{task.value}/said") for task in verifier.questions},
    )


def _summarise(
    run: Run,
    audit: VocabularyAudit,
    weights: Weights,
    threshold: float,
    verifier: _Verifier,
    calibration: Mapping[str, Any],
    verified: Verified,
    vocabulary: CensusVocabulary,
) -> Outcome:
    ranking, ids = weights.ranking, np.array(verified.ids, dtype=np.int64)
    ordinary = np.array([audit.tokens[i].category is Category.OK for i in verified.ids], dtype=bool)
    hits = ordinary & verified.is_verified
    median = float(np.median(ranking[ids[hits]])) if hits.any() else None
    soft = soft_threshold(ranking[ids[ordinary]], verified.is_verified[ordinary]) if verifier.questions else None
    rate = wilson(calibration["said"], calibration["n"]) if calibration["n"] else None
    metrics: dict[str, float | int | str | None] = {
        "main_indicator": weights.main.value,
        "indicator_mean": float(ranking.mean()),
        "indicator_std": float(ranking.std()),
        "verification_threshold": threshold,
        "candidates": len(ids),
        "candidates_ordinary": int(ordinary.sum()),
        "prompts_used": len(verifier.questions),
        "verified": int(hits.sum()) if verifier.questions else None,
        "verified_of_all_candidates": int(verified.is_verified.sum()) if verifier.questions else None,
        "soft_threshold": soft,
        "below_soft_threshold": int((ranking[ids[ordinary]] <= soft).sum()) if soft is not None else None,
        "median_verified_threshold": median,
        "calibration_n": int(calibration["n"]),
        "informative": int(calibration["informative"]),
    }
    if rate is not None:
        metrics |= dict(rate.metrics("calibration_said"))
    classes = [
        classify_verification(float(best), bool(known))
        for best, known in zip(verified.max_prob, verified.encodeable, strict=True)
    ]
    for kind in VerificationClass:
        metrics[f"class/{kind.value}"] = classes.count(kind) if verifier.questions else None
    low = _low_by_category(audit, ranking, vocabulary, median)
    metrics |= {f"{name}_below_median_verified": sum(row["below"] for row in rows) for name, rows in low.items()}
    if verifier.questions and not hits.any():
        run.note(f"No under-trained tokens: none of {len(ids)} candidates stays below {VERIFIED_BELOW}.")
    if vocabulary.unnamed_ids:
        run.note(
            f"{len(vocabulary.unnamed_ids)} embedding rows have no token of the tokenizer: they have indicators, but "
            "no candidates are drawn from them."
        )
    published = published_table(run.identity.name if run.identity is not None else "")
    if published is not None and tuple(weights.unused.ids) != tuple(published["unused_reference_ids"]):
        run.note("The published table was made with unused ids 177 to 187; this run used others (exp.unused_ids).")
    details = {
        "indicators": [name.value for name in weights.indicators],
        "main_indicator": weights.main.value,
        "is_tied": weights.is_tied,
        "unused": {"ids": list(weights.unused.ids), "rule": weights.unused.rule},
        "categories": list(CATEGORIES),
        "prompts": {
            task.value: {**question.as_dict(), "fits": task in verifier.questions}
            for task, question in verifier.all_questions.items()
        },
        "calibration": dict(calibration),
        "threshold": threshold,
        "low": {name: rows[:_MOST_LISTED] for name, rows in low.items()},
        "by_exposures": _by_exposures(run, verified),
        **({"published": published} if published is not None else {}),
    }
    return Outcome(metrics, _arrays(audit, weights, verified), details)


def _low_by_category(
    audit: VocabularyAudit, ranking: np.ndarray, vocabulary: CensusVocabulary, median: float | None
) -> dict[str, list[dict[str, Any]]]:
    """Tokens no text can ask for, ascending by the indicator; `below`: as low as that of half the verified ones."""
    groups = {
        "bytes": (Category.BYTE,),
        "utf8_fragments": (Category.UTF8_FRAGMENT,),
        "unreachable": (Category.UNREACHABLE_ONE, Category.UNREACHABLE_SEVERAL),
        "special": (Category.SPECIAL,),
        "without_token": (Category.NO_TOKEN,),
    }
    found = {}
    for name, categories in groups.items():
        ids = sorted((token.id for token in audit.of(*categories)), key=lambda i: (ranking[i], i))
        found[name] = [
            {
                "id": i,
                "token": shown(vocabulary.names[i]),
                "indicator": float(ranking[i]),
                "below": median is not None and bool(ranking[i] <= median),
            }
            for i in ids
        ]
    return found


def _by_exposures(run: Run, verified: Verified) -> list[dict[str, Any]]:
    """Candidates and verified ones by how often training showed them, where that is known."""
    if run.facts is None or run.facts.exposures is None or not verified.by_prompt:
        return []
    counts = run.facts.exposures.total
    seen = counts[list(verified.ids)]
    rows = []
    for low, high in _EXPOSURE_BUCKETS:
        top = np.inf if high is None else high
        inside = (seen >= low) & (seen < top)
        rows.append(
            {
                "low": low,
                "high": high,
                "tokens": int(((counts >= low) & (counts < top)).sum()),
                "candidates": int(inside.sum()),
                "verified": int((inside & verified.is_verified).sum()),
            }
        )
    return rows


def published_table(name: str) -> dict[str, Any] | None:
    """The published figures of a GPT-2 size by the model's name; None for any other model."""
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    short = re.sub(r"^openai-community/", "", name)
    if short not in published["models"]:
        return None
    return {
        "source": published["source"],
        "unused_reference_ids": published["unused_reference_ids"],
        **published["models"][short],
    }


def _arrays(audit: VocabularyAudit, weights: Weights, verified: Verified) -> dict[str, np.ndarray]:
    return {
        **{f"indicator/{name.value}": values for name, values in weights.indicators.items()},
        "category": np.array([CATEGORIES.index(token.category.value) for token in audit.tokens], dtype=np.int8),
        "candidates": np.array(verified.ids, dtype=np.int64),
        "max_prob": verified.max_prob.astype(np.float32),
        **{f"{task.value}/max_prob": values for task, values in verified.by_prompt.items()},
    }
