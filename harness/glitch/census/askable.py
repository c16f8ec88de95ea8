"""The judge on trial: which tokens a question can be asked about, since a perfect answer would be told from none."""

from collections.abc import Sequence

from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question

_QUOTE = "'"


def askable_ids(interviewer: Interviewer, question: Question, ids: Sequence[int]) -> frozenset[int]:
    """Tokens whose perfect answer passes, and which an answer that says nothing does not pass.

    The perfect answer is the token's own id between the signs that the question frames it with, cut where decoding
    would have stopped. A token that ends a text is what a model says when it has nothing to say.
    """
    ids = [int(i) for i in ids if interviewer.has_answer(question, int(i))]
    if not ids:
        return frozenset()
    perfect = [_perfect_answer(interviewer, question, token) for token in ids]
    said = interviewer.cut(question, ids, perfect)
    passed = (
        interviewer.judge(question, token, answer).judgement.passed for token, answer in zip(ids, said, strict=True)
    )
    return frozenset(
        token for token, right in zip(ids, passed, strict=True) if right and not interviewer.ends_text(token)
    )


def _perfect_answer(interviewer: Interviewer, question: Question, token: int) -> list[int]:
    encode = interviewer.tokenizer.encode
    if question.closing:
        return [token, *encode(question.closing)]
    return [*encode(_QUOTE), token, *encode(_QUOTE)]
