"""One token's card: the tokenizer's word, the weights' and the model's own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.token_card.answers import next_token_logits, take_part_in_census, verify
from experiments.token_card.config import TokenCardConfig
from experiments.token_card.vocabulary import Word, as_details, look_up
from experiments.token_card.weight_facts import RowFacts, read_rows
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.verdict import LEAST_PASS_RATE, Verdict
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.measure.intervals import student_t
from harness.models.answers.magikarp import VERIFIED_BELOW
from harness.runs.context import Outcome, Run
from harness.tokens.lookup import find_token, note_of_form
from harness.tokens.text import shown
from harness.tokens.vocabulary_audit import Category

Metrics = dict[str, float | int | str | None]


def measure(run: Run[TokenCardConfig]) -> Outcome:
    """Everything about the token that the field `token` names."""
    assert run.exp.token is not None, "config.check refuses a card of no token"
    token_id = find_token(run.exp.token, run.facts.d_vocab, run.tokenizer)
    vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
    word = look_up(token_id, run.tokenizer, run.facts, vocabulary)
    form = note_of_form(run.exp.token, token_id, run.tokenizer)
    if form is not None:
        run.note(form)
    _say(run, word)
    with run.answering() as model:
        with run.timer("rows"):
            rows = read_rows(run, model, token_id, vocabulary)
        with run.timer("ask"):
            verification = verify(run, model, token_id)
            interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
            census, verdict = take_part_in_census(run, interviewer, token_id)
            context, following = next_token_logits(run, model, token_id)
    _record(run, vocabulary, verification, census, context)
    details = {
        **as_details(word, vocabulary, run.facts),
        "indicators": rows.standing(token_id),
        "unused": {"ids": list(rows.unused.ids), "rule": rows.unused.rule},
        "neighbours": dict(rows.neighbours),
        "verification": verification,
        "census": census,
        "next": following,
        "d_vocab": run.facts.d_vocab,
    }
    arrays = {f"indicator/{name}": values for name, values in rows.values.items()} | context
    return Outcome(_metrics(word, rows, verification, verdict, context, details["card"]["exposures"]), arrays, details)


def _say(run: Run[TokenCardConfig], word: Word) -> None:
    if word.is_reachable or word.token.category is Category.SPECIAL:
        return
    others = len(word.token.encodes_to)
    what = {0: "it has none that is encoded", 1: "its own encodes to another token"}
    run.note(f"No text leads to this token: {what.get(others, f'its own encodes to {others} tokens')}.")


def _record(
    run: Run[TokenCardConfig],
    vocabulary: CensusVocabulary,
    verification: list[dict[str, Any]],
    census: list[dict[str, Any]],
    context: Mapping[str, np.ndarray],
) -> None:
    run.records.append(verification)
    run.records.append(census)
    columns = [context[f"context/{name}"].tolist() for name in ("ids", "logit", "logprob", "rank")]
    run.records.append(
        {
            "item": f"context/{i}",
            "kind": "context",
            "behind": shown(vocabulary.names[i]),
            "logit": logit,
            "logprob": logprob,
            "rank": rank,
        }
        for i, logit, logprob, rank in zip(*columns, strict=True)
    )


def _metrics(
    word: Word,
    rows: RowFacts,
    verification: list[dict[str, Any]],
    verdict: Verdict,
    context: Mapping[str, np.ndarray],
    exposures: Mapping[str, int],
) -> Metrics:
    token_id = word.token.id
    best = [row["max_prob"] for row in verification if row["max_prob"] is not None]
    # A prompt is informative only where this model predicts well-known tokens from it.
    can_verify = any(
        row["known_said"] >= LEAST_PASS_RATE * row["known_n"] for row in verification if row.get("known_n")
    )
    metrics: Metrics = {
        "id": token_id,
        "category": word.token.category.value,
        "is_reachable": int(word.is_reachable),
        "glitch": None if verdict.as_glitch is None else int(verdict.as_glitch),
        "verdict": verdict.value,
        "max_prob": max(best) if best else None,
        "verified": int(max(best) < VERIFIED_BELOW) if can_verify else None,
        "verification_informative": int(can_verify),
        "superstrings": len(word.superstrings),
    }
    for row in rows.standing(token_id):
        metrics |= {f"indicator/{row['name']}": row["value"], f"indicator/{row['name']}/rank": row["rank"]}
    metrics |= {f"exposures/{name}": count for name, count in exposures.items()}
    if len(context["context/ids"]):
        for name in ("logit", "logprob"):
            metrics |= dict(student_t(context[f"context/{name}"].astype(np.float64)).metrics(f"context/{name}"))
        metrics["context/best_rank"] = int(context["context/rank"].min())
    return metrics
