"""Asking tokens in one wording after another: all wordings of some tokens, or the cheapest first and the rest of those
that fail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.glitch.census.askable import askable_ids
from harness.glitch.census.families import COPIED_WORDINGS, WordingFamily
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question
from harness.glitch.census.verdict import Verdict, agree
from harness.glitch.census.wordings import Wording
from harness.glitch.copying.copier import N_OWN, SEQ_LEN, Copier
from harness.glitch.copying.draws import Material
from harness.glitch.copying.material import Units, gather_material, needed_company
from harness.glitch.copying.reading import CopyReader
from harness.measure.logprobs import margins
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.decoding import Observe
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts


@dataclass(frozen=True, eq=False)
class WordingAnswers:
    """What came of asking some tokens in one wording."""

    ids: Int[np.ndarray, " token"]
    passed: Bool[np.ndarray, " token"]
    margin: Float[np.ndarray, " token"]
    """Logits by which the token is above the best other where it must be said; NaN where the answer's place is open."""
    said: tuple[tuple[int, ...], ...]
    """Ids of each answer; empty for copying, which is read from logits."""
    n_positions: int
    """Token positions that went through the model."""

    def as_arrays(self, name: str) -> dict[str, np.ndarray]:
        """For a shard, under the wording's name."""
        return {
            f"{name}/ids": self.ids.astype(np.int64),
            f"{name}/passed": self.passed.astype(np.int8),
            f"{name}/margin": self.margin.astype(np.float32),
            f"{name}/lengths": np.array([len(ids) for ids in self.said], dtype=np.int64),
            f"{name}/said": np.array([i for ids in self.said for i in ids], dtype=np.int64),
            f"{name}/n_positions": np.array([self.n_positions], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, np.ndarray]) -> "WordingAnswers":
        """Back from a shard."""
        ends = np.cumsum(arrays[f"{name}/lengths"])
        said = arrays[f"{name}/said"].tolist()
        starts = (ends - arrays[f"{name}/lengths"]).tolist()
        return cls(
            arrays[f"{name}/ids"],
            arrays[f"{name}/passed"].astype(bool),
            arrays[f"{name}/margin"],
            tuple(tuple(said[start:end]) for start, end in zip(starts, ends.tolist(), strict=True)),
            int(arrays[f"{name}/n_positions"][0]),
        )


class Ladder:
    """Every wording that fits one model, ready to be asked in."""

    def __init__(self, interviewer: Interviewer, wordings: Sequence[Wording], copiers: Mapping[str, Copier]) -> None:
        """`copiers`: by the name of a wording; those that the model's window or vocabulary has room for."""
        self._interviewer, self._copiers = interviewer, copiers
        self.wordings = tuple(wording for wording in wordings if self._fits(wording))
        self._askable: dict[str, frozenset[int]] = {}
        self._spelt: frozenset[int] = frozenset()

    def on(self, model: CausalModel) -> "Ladder":
        """The same questions for another model of this vocabulary, or for this one changed; sequences that are copied
        are drawn as before."""
        copiers = {name: copier.on(model) for name, copier in self._copiers.items()}
        other = Ladder(self._interviewer.on(model), self.wordings, copiers)
        # What a perfect answer is told from depends on the vocabulary alone.
        other._askable, other._spelt = self._askable, self._spelt
        return other

    def spelt(self, tokenizer: Tokenizer, pieces: Mapping[int, tuple[int, ...]]) -> "Ladder":
        """The same behind another tokenizer of these ids, see `Interviewer.spelt`.

        Tokens in `pieces` are not asked to be copied: a sequence holds single ids.
        """
        other = Ladder(self._interviewer.spelt(tokenizer, pieces), self.wordings, self._copiers)
        other._askable, other._spelt = self._askable, frozenset(pieces)
        return other

    @property
    def material(self) -> Material | None:
        """What sequences that are copied are made of; None where the model has no room for any."""
        return next((copier.material for copier in self._copiers.values()), None)

    @property
    def testable_ids(self) -> tuple[int, ...]:
        """Every id that a census asks about."""
        return self._interviewer.vocabulary.testable_ids

    def askable(self, wording: Wording) -> frozenset[int]:
        """The testable tokens that a perfect answer in this wording would be told from none for."""
        key = wording.question.closing if wording.question is not None else wording.name
        if key not in self._askable:
            ids = self._interviewer.vocabulary.testable_ids
            self._askable[key] = (
                frozenset(ids) & self._copiers[wording.name].askable
                if wording.question is None
                else askable_ids(self._interviewer, wording.question, ids)
            )
        return self._askable[key]

    def fits(self, question: Question) -> bool:
        """Whether a question with its answer fits the model's window."""
        return self._interviewer.fits(question)

    def keep_beginning(self, wording: Wording) -> None:
        """Read what stands before the token in a wording once for all that are asked from now on, not counted again."""
        if wording.question is not None:
            self._interviewer.keep_beginning(wording.question)

    def least_positions(self, wording: Wording) -> int:
        """Token positions that asking one token takes at least: what its prompt holds from the token on.

        Raises `ValueError` for copying.
        """
        prompt = _question_of(wording).prompt(-1, self._interviewer.tokenizer)
        return len(prompt) - prompt.index(-1)

    def most_positions(self, wording: Wording) -> int:
        """Token positions that asking one token takes at most, once the beginning is kept; keeps it. By copying: what
        it takes by itself."""
        if wording.question is None:
            return self._copiers[wording.name].most_positions
        return self._interviewer.most_positions(_question_of(wording))

    def ask(self, wording: Wording, ids: Iterable[int], stream: int = 0, failed_before: bool = False) -> WordingAnswers:
        """The answers about those of `ids` that can be asked about in this wording.

        `stream` and `failed_before` are for copying: see `Copier.ask`.
        """
        some = [int(i) for i in ids if int(i) in self.askable(wording)]
        if wording.question is None:
            some = [i for i in some if i not in self._spelt]
            copies = self._copiers[wording.name].ask(some, stream, failed_before)
            return WordingAnswers(copies.ids, copies.passed, copies.margin, ((),) * len(copies.ids), copies.n_positions)
        observe, above = _first_margins(some, self._interviewer.model.device)
        observes = bool(wording.question.closing) and not self._spelt
        answers = self._interviewer.ask(wording.question, some, observe if observes else None)
        return WordingAnswers(
            np.array([answer.token_id for answer in answers.answers], dtype=np.int64),
            np.array([answer.judgement.passed for answer in answers.answers], dtype=bool),
            above.cpu().numpy().astype(np.float64)[: len(answers.answers)],
            tuple(answer.answer_ids for answer in answers.answers),
            answers.n_positions,
        )

    def climb(self, wordings: Sequence[Wording], ids: Sequence[int], stream: int = 0) -> dict[str, WordingAnswers]:
        """The first wording for all, the next for those that have passed none, and so on; by name."""
        left, found = list(ids), {}
        for number, wording in enumerate(wordings):
            answers = self.ask(wording, left, stream, failed_before=number > 0)
            found[wording.name] = answers
            passed = set(answers.ids[answers.passed].tolist())
            left = [token for token in left if token not in passed]
        return found

    def _fits(self, wording: Wording) -> bool:
        return wording.name in self._copiers if wording.question is None else self._interviewer.fits(wording.question)


def _question_of(wording: Wording) -> Question:
    if wording.question is None:
        raise ValueError(f"{wording.name} has no prompt")
    return wording.question


def verdicts(
    ids: Sequence[int], wordings: Sequence[Wording], answers: Mapping[str, WordingAnswers]
) -> dict[int, Verdict]:
    """The verdict on every token by agreement of `wordings`, those that count, from answers by name of the wording."""
    passed: dict[int, dict[WordingFamily, list[bool]]] = {token: {} for token in ids}
    for wording in wordings:
        if wording.name in answers:
            found = answers[wording.name]
            for token, is_right in zip(found.ids.tolist(), found.passed.tolist(), strict=True):
                passed[token].setdefault(wording.family, []).append(is_right)
    return {token: agree(results) for token, results in passed.items()}


def make_ladder(
    interviewer: Interviewer, wordings: Sequence[Wording], facts: VocabFacts, common: Sequence[int], seed: int
) -> Ladder:
    """All of `wordings` that fit the interviewer's model: its window, and for copying its vocabulary.

    `common`: well-known ids, company for those that are asked to be copied; `seed`: of the sequences.
    """
    model = interviewer.model
    embedding = model.embedding()
    n_rows = min(facts.d_vocab, len(embedding))
    studied = facts.without_a_job(range(n_rows))
    units = Units.of(embedding[:n_rows].float().cpu().numpy())
    company = sorted(set(common) & set(studied))
    material = gather_material(studied, company, units.lowest, needed_company(SEQ_LEN, N_OWN))
    copiers = {}
    for name, n_before in COPIED_WORDINGS.items():
        n_pos = (n_before + 1) * SEQ_LEN + int(facts.bos_id is not None)
        if material is not None and (model.n_ctx is None or n_pos <= model.n_ctx):
            reader = CopyReader(model, SEQ_LEN, facts.bos_id, has_control=False, n_before=n_before)
            copiers[name] = Copier(reader, material, seed)
    return Ladder(interviewer, wordings, copiers)


def _first_margins(ids: Sequence[int], device: str) -> tuple[Observe, Float[Tensor, " prompt"]]:
    """An observer that notes by how much each prompt's token is above the best other at the answer's first place."""
    targets = torch.tensor(list(ids), dtype=torch.long, device=device)
    found = torch.full((len(ids),), float("nan"), device=device)

    def observe(rows: Tensor, logits: Tensor, step: int) -> None:
        if step == 0:
            found[rows] = margins(logits, targets[rows])

    return observe, found
