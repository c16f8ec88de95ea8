"""What the model answers about one token: verification, the census' wordings, and logits after other tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from experiments.token_card.config import TokenCardConfig
from harness.glitch.census.calibration import (
    CALIBRATION_STREAM,
    Trial,
    WellKnown,
    counting,
    known_for,
    trial_of,
    well_known,
)
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import Ladder, make_ladder, verdicts
from harness.glitch.census.questions import Question, leading_ids, make_question
from harness.glitch.census.symptoms import classify_symptom
from harness.glitch.census.verdict import Verdict
from harness.glitch.census.wordings import Wording, make_wordings
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.magikarp import VERIFIED_BELOW
from harness.models.answers.verification import target_probabilities
from harness.runs.context import Run
from harness.tokens.prompts import TEMPLATES, Task
from harness.tokens.prompts.rules import ChatRule
from harness.tokens.text import shown

VERIFICATION = (Task.MAGIKARP_INPUT_OUTPUT, Task.MAGIKARP_EXPLAIN, Task.MAGIKARP_REPEATS)
_STEPS = 3
_NEXT = 10


def known_tokens(run: Run[TokenCardConfig], task: Task, token_id: int) -> WellKnown:
    """At most `exp.n_known` tokens that the model knows well, the token itself left out."""
    tokens = well_known(task, run.organism, run.pools)
    ids = [i for i in tokens.ids if i != token_id]
    drawn = np.random.default_rng([run.seed, 5]).permutation(len(ids))[: run.exp.n_known]
    return WellKnown(tuple(sorted(ids[place] for place in drawn)), tokens.where)


def verify(run: Run[TokenCardConfig], model: CausalModel, token_id: int) -> list[dict[str, Any]]:
    """The token's probability at the first three positions of Magikarp's prompts, those that fit."""
    found = []
    for task in VERIFICATION:
        question = make_question(TEMPLATES[task], run.tokenizer, run.facts, run.exp.bos, ChatRule.NEVER, _STEPS)
        needed = len(question.prompt(token_id, run.tokenizer)) + _STEPS
        row: dict[str, Any] = {"item": task.value, "kind": "verification", "prompt": task.value, "fits": True}
        if model.n_ctx is not None and needed > model.n_ctx:
            found.append(
                {**row, "fits": False, "probabilities": None, "max_prob": None, "said": None, "verified": None}
            )
            run.note(f"{task.value} is left out: {needed} tokens, the window holds {model.n_ctx}")
            continue
        answer = _probabilities(run, model, question, [token_id])
        highest = float(answer.highest[0])
        found.append(
            {
                **row,
                "probabilities": [float(value) for value in answer.probability[0]],
                "max_prob": highest,
                "said": run.tokenizer.decode([i for i in answer.answer_ids[0] if i in run.tokenizer.known_ids]),
                "verified": highest < VERIFIED_BELOW,
                **_known_share(run, model, question, token_id),
            }
        )
    return found


def _probabilities(run: Run[TokenCardConfig], model: CausalModel, question: Question, ids: Sequence[int]) -> Any:
    prompts = {i: question.prompt(i, run.tokenizer) for i in ids}
    return target_probabilities(model, ids, prompts.__getitem__, _STEPS, run.exp.batch_size)


def _known_share(run: Run[TokenCardConfig], model: CausalModel, question: Question, token_id: int) -> dict[str, Any]:
    """How many well-known tokens the same prompt gets out of the model."""
    known = known_tokens(run, question.task, token_id)
    if not known.ids:
        return {"known_n": 0, "known_said": None, "known_median": None}
    best = _probabilities(run, model, question, known.ids).highest
    return {
        "known_n": len(known.ids),
        "known_said": int((best >= VERIFIED_BELOW).sum()),
        "known_median": float(np.median(best)),
    }


def take_part_in_census(
    run: Run[TokenCardConfig], interviewer: Interviewer, token_id: int
) -> tuple[list[dict[str, Any]], Verdict]:
    """The answers in every wording, each with its calibration, and the verdict by agreement of those that count."""
    wordings = make_wordings(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
    ladder = make_ladder(interviewer, wordings, run.facts, run.pools["common"].ids, run.seed)
    trials = [_try(run, ladder, wording, token_id) for wording in ladder.wordings]
    used = counting(trials)
    answers = {wording.name: ladder.ask(wording, [token_id]) for wording in ladder.wordings}
    if token_id in run.facts.special_ids:
        run.note("This is a special token: the census asks for none, so there is no verdict.")
    verdict = verdicts([token_id], used, answers)[token_id]
    vocabulary = interviewer.vocabulary
    rows: list[dict[str, Any]] = []
    for trial in trials:
        run.note(trial.calibration.sentence())
        given, question = answers[trial.name], trial.wording.question
        is_asked = len(given.ids) > 0
        passed = bool(given.passed[0]) if is_asked else None
        said = vocabulary.decode(given.said[0], run.tokenizer) if is_asked and question is not None else None
        symptom = None
        if passed is False and question is not None and said is not None:
            symptom = classify_symptom(question.task, question.text, vocabulary.text(token_id), said).value
        margin = float(given.margin[0]) if is_asked and not np.isnan(given.margin[0]) else None
        rows.append(
            {
                "item": trial.name,
                "kind": "census",
                "wording": trial.name,
                "family": trial.wording.family.value,
                "informative": trial.calibration.is_informative,
                "known_n": trial.calibration.n,
                "known_passed": trial.calibration.passed,
                "passed": passed,
                "answer": said,
                "margin": margin,
                "symptom": symptom,
            }
        )
    return rows, verdict


def _try(run: Run[TokenCardConfig], ladder: Ladder, wording: Wording, token_id: int) -> Trial:
    """A wording on at most `exp.n_known` well-known tokens, the token itself left out."""
    known = known_for(ladder, wording, run.organism, run.pools, run.exp.n_known + 1, run.seed)
    ids = [i for i in known.ids if i != token_id][: run.exp.n_known]
    return trial_of(ladder, wording, ladder.ask(wording, ids, CALIBRATION_STREAM), known.where)


def next_token_logits(
    run: Run[TokenCardConfig], model: CausalModel, token_id: int
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """The token's logit, log-probability and rank after well-known tokens; and what the model expects after it."""
    known = known_tokens(run, Task.REPETITION, token_id)
    front = leading_ids(run.tokenizer, run.facts, run.exp.bos)
    logits = torch.stack(
        [model.logits(torch.tensor([[*front, i]]))[0, -1].float().cpu() for i in (*known.ids, token_id)]
    )
    in_context, alone = logits[:-1], logits[-1]
    logprobs = in_context.log_softmax(dim=-1)
    arrays = {
        "context/ids": np.array(known.ids, dtype=np.int64),
        "context/logit": in_context[:, token_id].numpy(),
        "context/logprob": logprobs[:, token_id].numpy(),
        # A tie counts against the token.
        "context/rank": (in_context >= in_context[:, token_id : token_id + 1]).sum(dim=-1).numpy(),
    }
    best = alone.softmax(dim=-1).topk(min(_NEXT, len(alone)))
    names = [shown(run.tokenizer.token_text(int(i))) for i in best.indices]
    found = [
        {"id": int(i), "token": name, "prob": float(p)}
        for i, name, p in zip(best.indices, names, best.values, strict=True)
    ]
    return arrays, found
