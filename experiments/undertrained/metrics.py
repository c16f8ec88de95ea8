"""What a run answers, from what was measured."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.undertrained.config import UndertrainedConfig
from experiments.undertrained.data import Verified, Weights
from experiments.undertrained.ranking import judge_ranking, problems_of
from experiments.undertrained.verifier import Verifier
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.measure.exposures import EXPOSURE_RANGES, is_inside
from harness.measure.intervals import wilson
from harness.models.answers.magikarp import VERIFIED_BELOW, VerificationClass, classify_verification, soft_threshold
from harness.models.identity import ModelIdentity
from harness.models.recognised import ModelMarks, carries
from harness.models.tokenizer_files import resolve_tokenizer
from harness.runs.context import Outcome, Run
from harness.tokens.text import shown
from harness.tokens.vocabulary_audit import Category, VocabularyAudit

_VOCABULARY = {"\u0120the": 262, "\u0120SolidGoldMagikarp": 43453, "\u0120gazed": 50255, "<|endoftext|>": 50256}
_GPT2_SIZES = {
    name: ModelMarks(
        {"model_type": "gpt2", "n_layer": n_layer, "n_embd": n_embd, "vocab_size": 50257}, _VOCABULARY
    )
    for name, n_layer, n_embd in (
        ("gpt2", 12, 768), ("gpt2-medium", 24, 1024), ("gpt2-large", 36, 1280), ("gpt2-xl", 48, 1600),
    )
}  # fmt: skip
PUBLISHED = Path(__file__).with_name("published.json")
CATEGORIES = tuple(category.value for category in Category)
_MOST_LISTED = 400


def summarise(
    run: Run[UndertrainedConfig],
    audit: VocabularyAudit,
    weights: Weights,
    threshold: float,
    verifier: Verifier,
    calibration: Mapping[str, Any],
    verified: Verified,
    controls: Verified,
    vocabulary: CensusVocabulary,
) -> Outcome:
    """Metrics, arrays and details of a run, from what was measured alone."""
    ordinary = np.array([audit.tokens[i].category is Category.OK for i in verified.ids], dtype=bool)
    hits = ordinary & verified.is_verified
    ids = np.array(verified.ids, dtype=np.int64)
    median = float(np.median(weights.ranking[ids[hits]])) if hits.any() else None
    low = _low_by_category(audit, weights.ranking, vocabulary, median)
    published = published_table(run.identity, run.config.tokenizer.name)
    ranking = judge_ranking(problems_of(weights), ordinary & verified.is_verified, ordinary, controls)
    metrics = _metrics(weights, verified, ordinary, bool(verifier.questions)) | {
        "verification_threshold": threshold,
        "prompts_used": len(verifier.questions),
        "median_verified_threshold": median,
        "calibration_n": int(calibration["n"]),
        "informative": int(calibration["informative"]),
        **ranking.metrics(),
    }
    if calibration["n"]:
        metrics |= dict(wilson(calibration["said"], calibration["n"]).metrics("calibration_said"))
    metrics |= {f"{name}_below_median_verified": sum(row["below"] for row in rows) for name, rows in low.items()}
    if verifier.questions and not hits.any():
        run.note(f"No under-trained tokens: none of {len(ids)} candidates stays below {VERIFIED_BELOW}.")
    if vocabulary.unnamed_ids:
        run.note(
            f"{len(vocabulary.unnamed_ids)} embedding rows have no token of the tokenizer: they have indicators, but "
            "no candidates are drawn from them."
        )
    for note in _notes_of_reference(weights, verified):
        run.note(note)
    if ranking.weights_rank is False:
        run.warn(f"These weights do not rank under-training: {ranking.reason}. Ask instead: exp=census.")
    if published is not None and tuple(weights.unused.ids) != tuple(published["unused_reference_ids"]):
        run.note("The published table was made with unused ids 177 to 187; this run used others (exp.unused_ids).")
    details = _details(weights, verifier, vocabulary) | {
        "weights_rank": {"answer": ranking.weights_rank, "reason": ranking.reason},
        "calibration": dict(calibration),
        "threshold": threshold,
        "low": {name: rows[:_MOST_LISTED] for name, rows in low.items()},
        "by_exposures": _by_exposures(run, verified),
        **({"published": published} if published is not None else {}),
    }
    return Outcome(metrics, _arrays(audit, weights, verified, controls), details)


def _metrics(
    weights: Weights, verified: Verified, ordinary: np.ndarray, prompted: bool
) -> dict[str, float | int | str | None]:
    """Of indicators and verdicts; counts of verdicts are None where no prompt fits the window."""
    ranking, ids = weights.ranking, np.array(verified.ids, dtype=np.int64)
    soft = soft_threshold(ranking[ids[ordinary]], verified.is_verified[ordinary]) if prompted else None
    metrics: dict[str, float | int | str | None] = {
        "main_indicator": weights.main.value,
        "indicator_mean": float(ranking.mean()),
        "indicator_std": float(ranking.std()),
        "candidates": len(ids),
        "candidates_ordinary": int(ordinary.sum()),
        "verified": int((ordinary & verified.is_verified).sum()) if prompted else None,
        "verified_of_all_candidates": int(verified.is_verified.sum()) if prompted else None,
        "soft_threshold": soft,
        "below_soft_threshold": int((ranking[ids[ordinary]] <= soft).sum()) if soft is not None else None,
    }
    classes = [
        classify_verification(float(best), bool(known))
        for best, known in zip(verified.max_prob, verified.encodeable, strict=True)
    ]
    return metrics | {f"class/{kind.value}": classes.count(kind) if prompted else None for kind in VerificationClass}


def _notes_of_reference(weights: Weights, verified: Verified) -> Iterator[str]:
    unused, check = weights.unused, weights.check
    if not unused.ids or check is None:
        return
    told = f"the model can tell {check.n_distinct} of them apart"
    special = f", {len(unused.special_ids)} of them special tokens" if unused.special_ids else ""
    yield f"Taken to be unused: {len(unused.ids)} ids ({unused.rule}){special}; {told}."
    if check.together is not None:
        near = check.together
        yield (
            f"Their rows' mean cosine to the centroid is {near.cosine:.2f}; of as many random ordinary tokens "
            f"{near.random_mean:.2f}, at most {near.random_highest:.2f}."
        )
    if check.smallest_correlation is not None:
        yield (
            "With one of them left out the ranking by cosine distance stays the same up to a rank correlation of "
            f"{check.smallest_correlation:.3f} at the least."
        )
    both = len(set(unused.ids) & set(verified.ids))
    if both:
        yield f"{both} of the ids taken to be unused are candidates as well: what is said of them rests on the prompts."


def _details(weights: Weights, verifier: Verifier, vocabulary: CensusVocabulary) -> dict[str, Any]:
    return {
        "indicators": [name.value for name in weights.indicators],
        "main_indicator": weights.main.value,
        "is_tied": weights.is_tied,
        "unused": {
            **weights.unused.as_dict(),
            "tokens": [shown(vocabulary.names[i]) for i in weights.unused.ids],
            "check": weights.check.as_dict() if weights.check is not None else None,
        },
        "categories": list(CATEGORIES),
        "prompts": {
            task.value: {**question.as_dict(), "fits": task in verifier.questions}
            for task, question in verifier.all_questions.items()
        },
    }


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


def _by_exposures(run: Run[UndertrainedConfig], verified: Verified) -> list[dict[str, Any]]:
    """Candidates and verified ones by how often training showed them, where that is known."""
    if run.facts.exposures is None or not verified.by_prompt:
        return []
    counts = run.facts.exposures.total
    seen = counts[list(verified.ids)]
    rows = []
    for low, high in EXPOSURE_RANGES:
        inside = is_inside(seen, low, high)
        rows.append(
            {
                "low": low,
                "high": high,
                "tokens": int(is_inside(counts, low, high).sum()),
                "candidates": int(inside.sum()),
                "verified": int((inside & verified.is_verified).sum()),
            }
        )
    return rows


def published_table(identity: ModelIdentity, tokenizer_name: str | None = None) -> dict[str, Any] | None:
    """The published figures of a GPT-2 size, recognised by config.json and vocabulary; None for any other model."""
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    tokenizer = resolve_tokenizer(tokenizer_name) if tokenizer_name is not None else None
    short = next((name for name, marks in _GPT2_SIZES.items() if carries(identity, tokenizer, marks)), None)
    if short is None:
        return None
    return {
        "source": published["source"],
        "unused_reference_ids": published["unused_reference_ids"],
        **published["models"][short],
    }


def _arrays(audit: VocabularyAudit, weights: Weights, verified: Verified, controls: Verified) -> dict[str, np.ndarray]:
    return {
        **{f"indicator/{name.value}": values for name, values in weights.indicators.items()},
        "category": np.array([CATEGORIES.index(token.category.value) for token in audit.tokens], dtype=np.int8),
        "candidates": np.array(verified.ids, dtype=np.int64),
        "max_prob": verified.max_prob.astype(np.float32),
        "controls": np.array(controls.ids, dtype=np.int64),
        "controls/max_prob": controls.max_prob.astype(np.float32),
        **{f"{task.value}/max_prob": values for task, values in verified.by_prompt.items()},
    }
