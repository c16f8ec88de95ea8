"""Prompt the model with one task for many tokens, and judge the answers."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import torch

from harness.glitch.census.matching import OPENING, Judgement, judge, proves_nothing
from harness.glitch.census.questions import Question
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.models.answers.causal_model import CausalModel, Prefix
from harness.models.answers.decoding import Choose, Observe, Stop, decode, likeliest
from harness.models.answers.reuse import Reuse
from harness.models.answers.stopping import EndOfLine, LineTable, UntilTarget
from harness.models.tokenizers import Tokenizer
from harness.tokens.prompts import Task, expected_answer


@dataclass(frozen=True)
class TokenAnswer:
    """The model's answer to the prompt about one token, judged."""

    token_id: int
    answer_ids: tuple[int, ...]
    """Up to the end of the line; for repetition up to the token itself where the answer has it."""
    text: str
    judgement: Judgement


@dataclass(frozen=True)
class TaskAnswers:
    """The answers to one task for many tokens."""

    answers: tuple[TokenAnswer, ...]
    """Only of tokens that the task has a right answer for."""
    n_positions: int
    """Token positions that went through the model."""


class Interviewer:
    """One model, its tokenizer and vocabulary, ready to be prompted. `batch_size` None: chosen from memory."""

    def __init__(
        self,
        model: CausalModel,
        tokenizer: Tokenizer,
        vocabulary: CensusVocabulary,
        end_ids: frozenset[int],
        batch_size: int | None = None,
    ) -> None:
        self.model, self.tokenizer, self.vocabulary = model, tokenizer, vocabulary
        self._table = LineTable.build(vocabulary.texts, end_ids, model.device)
        self._batch_size = batch_size
        self._beginnings: dict[tuple[int, ...], Prefix] = {}
        self._pieces: Mapping[int, tuple[int, ...]] = {}

    def on(self, model: CausalModel) -> "Interviewer":
        """The same for another model of this vocabulary, or for this one changed: nothing that was read is kept."""
        other = copy(self)
        other.model, other._beginnings = model, {}
        return other

    def spelt(self, tokenizer: Tokenizer, pieces: Mapping[int, tuple[int, ...]]) -> "Interviewer":
        """The same behind another tokenizer of these ids, which prompts are cut by.

        Tokens in `pieces` are put to the model as these ids, and may be answered with them.
        """
        other = copy(self)
        other.tokenizer, other._pieces, other._beginnings = tokenizer, pieces, {}
        return other

    def fits(self, question: Question) -> bool:
        """Whether the prompt and its answer fit the model's window."""
        needed = len(question.prompt(0, self.tokenizer)) + question.max_new_tokens
        return self.model.n_ctx is None or needed <= self.model.n_ctx

    def keep_beginning(self, question: Question) -> int:
        """Read what stands before the token in a question's prompts, once for all that are asked from now on.

        Returns how many positions that takes off every prompt: 0 for a model that reads its prompts whole.
        """
        ids = self._beginning_of(question)
        if ids not in self._beginnings:
            n_pos = len(question.prompt(0, self.tokenizer)) + question.max_new_tokens
            self._beginnings[ids] = self.model.prefix(ids, n_pos)
        return self._beginnings[ids].n_positions

    def most_positions(self, question: Question) -> int:
        """Token positions that the longest answer to one prompt takes, once the beginning is kept."""
        length, n_new = len(question.prompt(0, self.tokenizer)), question.max_new_tokens
        if self.model.reuse(length + n_new) is Reuse.NOTHING:
            # The prompt is read again for every token of the answer.
            return sum(length + step for step in range(n_new))
        return length - self.keep_beginning(question) + n_new

    def _beginning_of(self, question: Question) -> tuple[int, ...]:
        prompt = question.prompt(-1, self.tokenizer)
        return tuple(prompt[: prompt.index(-1)])

    def has_answer(self, question: Question, token_id: int) -> bool:
        """Whether the task has a right answer for a token: repetition always, the others as `expected_answer` says.

        A spelling longer than the question's `max_new_tokens` is left out, and words that the prompt itself solves.
        """
        if question.task not in (Task.SPELLING, Task.LENGTH):
            return True
        text = self.vocabulary.text(token_id)
        if text is not None and text.strip().lower() in question.gives_away:
            return False
        expected = expected_answer(question.task, text) if text is not None else None
        return expected is not None and expected.isprintable() and len(expected.encode()) + 2 <= question.max_new_tokens

    def ask(
        self, question: Question, ids: Sequence[int], observe: Observe | None = None, choose: Choose = likeliest
    ) -> TaskAnswers:
        """Decode for every id that the task has an answer for, the id spliced into the prompt; greedily by default.

        `observe` gets the logits that answers are chosen from, `choose` picks from them; their rows number the ids that
        are prompted for.
        """
        prompted = [int(i) for i in ids if self.has_answer(question, int(i))]
        if not self._pieces:
            return self._ask(question, prompted, observe, choose)
        return self._ask_spelt(question.anew(), prompted, choose)

    def _ask(
        self, question: Question, prompted: Sequence[int], observe: Observe | None, choose: Choose, n_more: int = 0
    ) -> TaskAnswers:
        """`n_more`: room for so many ids more than the question has."""
        prompts = [self._prompt(question, i) for i in prompted]
        stop = self._stop(question, prompted)
        kept = self._beginnings.get(self._beginning_of(question)) if self._beginnings else None
        room = question.max_new_tokens + n_more
        answers = decode(self.model, prompts, room, stop, choose, observe, self._batch_size, kept)
        judged = tuple(
            self.judge(question, i, answer_ids) for i, answer_ids in zip(prompted, answers.tokens, strict=True)
        )
        return TaskAnswers(judged, answers.n_positions)

    def _ask_spelt(self, question: Question, prompted: Sequence[int], choose: Choose) -> TaskAnswers:
        """Tokens of so many pieces together: each has as much more room as its text is longer; those that do not fit
        the model's window so are not asked."""
        answers: dict[int, TokenAnswer] = {}
        n_positions = 0
        for n_pieces in sorted({len(self._spelling(i)) for i in prompted}):
            some = [i for i in prompted if len(self._spelling(i)) == n_pieces]
            needed = len(self._prompt(question, some[0])) + question.max_new_tokens + n_pieces - 1
            if self.model.n_ctx is None or needed <= self.model.n_ctx:
                found = self._ask(question, some, None, choose, n_pieces - 1)
                answers |= {answer.token_id: answer for answer in found.answers}
                n_positions += found.n_positions
        return TaskAnswers(tuple(answers[i] for i in prompted if i in answers), n_positions)

    def _spelling(self, token_id: int) -> tuple[int, ...]:
        return self._pieces.get(token_id, (token_id,))

    def _prompt(self, question: Question, token_id: int) -> list[int]:
        """With what stands for the token in every slot."""
        if token_id not in self._pieces:
            return question.prompt(token_id, self.tokenizer)
        spelling = self._pieces[token_id]
        return [i for place in question.prompt(-1, self.tokenizer) for i in (spelling if place == -1 else (place,))]

    def judge(self, question: Question, token_id: int, answer_ids: Sequence[int]) -> TokenAnswer:
        """Judge the ids that were generated for a token. Its pieces in a row are as good as the token itself."""
        text = self.vocabulary.decode(answer_ids, self.tokenizer)
        said = joined(answer_ids, self._pieces[token_id], token_id) if token_id in self._pieces else answer_ids
        judgement = judge(
            question.task,
            token_id,
            self.vocabulary.text(token_id),
            said,
            text,
            self._first_inside(question, said),
            question.closing,
        )
        return TokenAnswer(token_id, tuple(answer_ids), text, judgement)

    def cut(self, question: Question, token_ids: Sequence[int], answers: Sequence[Sequence[int]]) -> list[list[int]]:
        """What would have been decoded of answers to a question about some tokens: each up to where it stops."""
        stop = self._stop(question, token_ids)
        rows = torch.arange(len(token_ids), device=self.model.device)
        stop.reset(rows)
        kept: list[list[int]] = [[] for _ in token_ids]
        ended = [False] * len(token_ids)
        for step in range(max(map(len, answers), default=0)):
            # Answers that are over go on with their last id, which is not kept.
            said = [answer[min(step, len(answer) - 1)] for answer in answers]
            ends = stop.update(rows, torch.tensor(said, device=self.model.device)).tolist()
            for number, answer in enumerate(answers):
                if not ended[number] and step < len(answer):
                    kept[number].append(answer[step])
                    ended[number] = ends[number]
        return kept

    def ends_text(self, token_id: int) -> bool:
        """Whether saying a token ends the answer, whatever was said before."""
        return bool(self._table.ends_text[token_id])

    def _first_inside(self, question: Question, answer_ids: Sequence[int]) -> int | None:
        """The id right after the sign that opens an answer."""
        if question.closing:
            return answer_ids[0] if len(answer_ids) else None
        for n in range(1, len(answer_ids)):
            opened = "".join(self.vocabulary.texts[i] for i in answer_ids[:n]).strip()
            if opened:
                return answer_ids[n] if len(opened) == 1 and opened in OPENING else None
        return None

    def _stop(self, question: Question, prompted: Sequence[int]) -> Stop:
        texts = [self.vocabulary.text(i) or "" for i in prompted]
        many_lines = [number for number, text in enumerate(texts) if "\n" in text.strip()]
        line = EndOfLine(self._table, len(prompted), many_lines)
        if question.task in (Task.SPELLING, Task.LENGTH):
            return line
        # What is in nearly every answer ends none, unless the prompt has opened the answer and it comes first.
        targets = [
            -1 if i in self._pieces or (proves_nothing(text) and not question.closing) else i
            for i, text in zip(prompted, texts, strict=True)
        ]
        return UntilTarget(torch.tensor(targets, dtype=torch.long, device=self.model.device), line)


def joined(ids: Sequence[int], pieces: Sequence[int], token_id: int) -> list[int]:
    """A row of ids with every occurrence of some in a row replaced by one."""
    found: list[int] = []
    at = 0
    while at < len(ids):
        is_here = tuple(ids[at : at + len(pieces)]) == tuple(pieces)
        found.append(token_id if is_here else ids[at])
        at += len(pieces) if is_here else 1
    return found
