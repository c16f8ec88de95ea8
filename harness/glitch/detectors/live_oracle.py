"""Verdicts on tokens from the model itself, through the questions of the census."""

from collections.abc import Sequence

from harness.errors import RunFailed
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question
from harness.glitch.detectors.oracle import MemoOracle


class LiveOracle(MemoOracle):
    """Prompts the model: a token fails if it fails any of `questions` that has a right answer for it.

    A token that none of them has an answer for passes. `budget` counts queries, one for each token and question.
    """

    def __init__(self, interviewer: Interviewer, questions: Sequence[Question], budget: int | None = None) -> None:
        if not questions:
            raise RunFailed("no task is informative for this model: there is nothing to ask")
        super().__init__(len(questions), budget)
        self._interviewer, self._questions = interviewer, tuple(questions)

    def _answer(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        failed: set[int] = set()
        n_positions = 0
        for question in self._questions:
            answers = self._interviewer.ask(question, ids)
            n_positions += answers.n_positions
            failed |= {answer.token_id for answer in answers.answers if not answer.judgement.passed}
        return [token in failed for token in ids], n_positions
