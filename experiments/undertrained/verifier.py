"""Asking a model for its candidates with the three prompts."""

from collections.abc import Sequence

import numpy as np

from experiments.undertrained.config import PROMPTS, UndertrainedConfig
from harness.glitch.census.questions import Question, make_question
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.verification import target_probabilities
from harness.runs.context import Run
from harness.tokens.prompts import TEMPLATES, Task
from harness.tokens.prompts.rules import ChatRule

N_STEPS = 3


class Verifier:
    """The model with the prompts that fit its window."""

    def __init__(self, run: Run[UndertrainedConfig], model: CausalModel) -> None:
        self.run, self.model, self.tokenizer = run, model, run.tokenizer
        self.questions: dict[Task, Question] = {}
        self.all_questions: dict[Task, Question] = {}
        for task in PROMPTS:
            question = make_question(
                TEMPLATES[task], run.tokenizer, run.facts, run.exp.bos, ChatRule.NEVER, max_new_tokens=N_STEPS
            )
            self.all_questions[task] = question
            needed = len(question.prompt(0, run.tokenizer)) + N_STEPS
            if model.n_ctx is None or needed <= model.n_ctx:
                self.questions[task] = question
            else:
                run.note(f"{task.value} is left out: {needed} tokens, the window holds {model.n_ctx}")

    def ask(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Probabilities [token] and greedy answers [token step] for every prompt."""
        arrays: dict[str, np.ndarray] = {}
        survives = np.zeros(len(ids), dtype=bool)
        for task, question in self.questions.items():
            prompts = {token: question.prompt(token, self.tokenizer) for token in ids}
            found = target_probabilities(self.model, ids, prompts.__getitem__, N_STEPS, self.run.exp.batch_size)
            arrays[f"{task.value}/prob"] = found.highest.astype(np.float32)
            arrays[f"{task.value}/said"] = np.array(found.answer_ids, dtype=np.int64).reshape(len(ids), N_STEPS)
            survives |= self._encodeable(question, ids)
        return arrays | {"encodeable": survives}

    def _encodeable(self, question: Question, ids: Sequence[int]) -> np.ndarray:
        rows = [question.prompt(i, self.tokenizer)[len(question.bos) :] for i in ids]
        again = self.tokenizer.encode_batch(self.tokenizer.decode_batch(rows))
        return np.array([token in row for token, row in zip(ids, again, strict=True)], dtype=bool)
