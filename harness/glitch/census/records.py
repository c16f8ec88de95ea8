"""One token of a census: what it answered to every task, the verdict, and what it looks like."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.glitch.census.interviewer import TokenAnswer
from harness.glitch.census.questions import Question
from harness.glitch.census.symptoms import Symptom, classify_symptom
from harness.glitch.census.token_types import TokenType
from harness.glitch.census.verdict import is_glitch
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.tokens.prompts import Task
from harness.tokens.text import shown


@dataclass(frozen=True)
class TokenRecord:
    """A token through the census."""

    token_id: int
    name: str
    """Its text with the space that marks the beginning of a word, made visible."""
    answers: Mapping[Task, TokenAnswer]
    """Only tasks that the model was prompted with and that have a right answer for this token."""
    symptoms: Mapping[Task, Symptom]
    """Of every informative task it failed, in the order of the tasks."""
    glitch: bool | None
    """Whether it fails an informative task; None where there is no such task for it."""
    token_type: TokenType
    exposures: int | None

    def as_row(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """One line of records.jsonl; a task without an answer leaves nulls."""
        row: dict[str, Any] = {
            "item": str(self.token_id),
            "id": self.token_id,
            "token": self.name,
            "glitch": self.glitch,
            "symptom": next((symptom.value for symptom in self.symptoms.values()), None),
            "type": self.token_type.value,
            "exposures": self.exposures,
        }
        for task in tasks:
            answer = self.answers.get(task)
            symptom = self.symptoms.get(task)
            row |= {
                f"{task.value}/passed": answer.judgement.passed if answer else None,
                f"{task.value}/answer": answer.text if answer else None,
                f"{task.value}/said": list(answer.answer_ids) if answer else None,
                f"{task.value}/matched_by": answer.judgement.matched_by.value if answer else None,
                f"{task.value}/symptom": symptom.value if symptom else None,
            }
        return row


def make_record(
    token_id: int,
    answers: Mapping[Task, TokenAnswer],
    questions: Mapping[Task, Question],
    informative: Sequence[Task],
    vocabulary: CensusVocabulary,
    exposures: int | None,
) -> TokenRecord:
    """Put together what the tasks found about one token."""
    passed: dict[Task, bool | None] = {task: answer.judgement.passed for task, answer in answers.items()}
    text = vocabulary.text(token_id)
    symptoms = {
        task: classify_symptom(task, questions[task].text, text, answers[task].text)
        for task in informative
        if passed.get(task) is False
    }
    return TokenRecord(
        token_id,
        shown(vocabulary.names[token_id]),
        answers,
        symptoms,
        is_glitch(passed, informative),
        vocabulary.type_of(token_id),
        exposures,
    )
