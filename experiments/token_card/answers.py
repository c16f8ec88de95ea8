"""What the model answers about one token: verification, the census' tasks, and logits after other tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from experiments.token_card.config import TokenCardConfig
from harness.glitch.census.calibration import WellKnown, summarise, well_known
from harness.glitch.census.interviewer import Interviewer, TokenAnswer
from harness.glitch.census.questions import Question, census_questions, leading_ids, make_question
from harness.glitch.census.records import make_record
from harness.glitch.census.verdict import Calibration
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
) -> tuple[list[dict[str, Any]], bool | None]:
    """The answers to the three tasks, each with its calibration, and the verdict (None: no informative task)."""
    questions = census_questions(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
    calibrations: dict[Task, Calibration] = {}
    answers: dict[Task, TokenAnswer] = {}
    for task, question in questions.items():
        known = known_tokens(run, task, token_id)
        if not interviewer.fits(question):
            calibrations[task] = Calibration(task.value, 0, 0, known.where, fits=False)
        else:
            tried = interviewer.ask(question, known.ids).answers
            calibrations[task] = summarise(task.value, [answer.judgement.passed for answer in tried], known)
            for answer in interviewer.ask(question, [token_id]).answers:
                answers[task] = answer
        run.note(calibrations[task].sentence())
    informative = [task for task, found in calibrations.items() if found.is_informative]
    # A special token ends an answer: the census does not test it and gives no verdict.
    if token_id in run.facts.special_ids:
        informative = []
        run.note("This is a special token: the census asks for none, so there is no verdict.")
    record = make_record(token_id, answers, questions, informative, interviewer.vocabulary, None)
    rows: list[dict[str, Any]] = []
    for task, found in calibrations.items():
        given, symptom = answers.get(task), record.symptoms.get(task)
        rows.append(
            {
                "item": task.value,
                "kind": "census",
                "task": task.value,
                "informative": found.is_informative,
                "known_n": found.n,
                "known_passed": found.passed,
                "passed": given.judgement.passed if given else None,
                "answer": given.text if given else None,
                "symptom": symptom.value if symptom else None,
            }
        )
    return rows, record.glitch


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
