"""One token through a census by agreement: what it passed, the verdict, its line in the records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.glitch.census.families import WordingFamily
from harness.glitch.census.ladder import WordingAnswers, verdicts
from harness.glitch.census.symptoms import Symptom, classify_symptom
from harness.glitch.census.verdict import Verdict
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import Wording
from harness.models.tokenizers import Tokenizer
from harness.tokens.kinds import TokenKind
from harness.tokens.prompts import Task
from harness.tokens.text import shown


@dataclass(frozen=True)
class TokenResult:
    """What a census found about one token. Mappings are by the name of a wording that it was asked in."""

    token_id: int
    verdict: Verdict
    in_sample: bool
    """Whether it was asked in every wording."""
    passed: Mapping[str, bool]
    margin: Mapping[str, float]
    said: Mapping[str, tuple[int, ...]]
    counting: tuple[str, ...]
    """Those of them that count for this model."""

    @property
    def n_failed(self) -> int:
        """Wordings that count and that it fails."""
        return sum(not self.passed[name] for name in self.counting)

    @property
    def is_prompt_dependent(self) -> bool:
        """Whether it passes some wordings that count and fails others; says something only of a token of the sample."""
        return 0 < self.n_failed < len(self.counting)


def results_of(
    ids: Sequence[int], wordings: Sequence[Wording], answers: Mapping[str, WordingAnswers], in_sample: bool
) -> list[TokenResult]:
    """Of every token in the order given; `wordings` are those that count, `answers` of all that were asked."""
    names = {wording.name for wording in wordings}
    found_verdicts = verdicts(ids, wordings, answers)
    passed: dict[int, dict[str, bool]] = {token: {} for token in ids}
    margin: dict[int, dict[str, float]] = {token: {} for token in ids}
    said: dict[int, dict[str, tuple[int, ...]]] = {token: {} for token in ids}
    for name, found in answers.items():
        columns = zip(found.ids.tolist(), found.passed.tolist(), found.margin.tolist(), found.said, strict=True)
        for token, is_right, above, answer_ids in columns:
            passed[token][name], margin[token][name], said[token][name] = is_right, above, answer_ids
    return [
        TokenResult(
            token, found_verdicts[token], in_sample, passed[token], margin[token], said[token],
            tuple(name for name in passed[token] if name in names),
        )
        for token in ids
    ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class RowWriter:
    """Turns results into lines of records.jsonl."""

    vocabulary: CensusVocabulary
    tokenizer: Tokenizer
    kinds: Sequence[TokenKind]
    wordings: Mapping[str, Wording]
    """All that were asked, by name."""
    n_counting: int
    """Wordings that count for this model."""
    exposures: np.ndarray | None

    def symptom(self, result: TokenResult) -> Symptom | None:
        """How the answer to the first question in words that it fails looks; None where it failed none."""
        for name, is_right in result.passed.items():
            question = self.wordings[name].question
            if not is_right and question is not None and self.wordings[name].family is WordingFamily.ASKED:
                answer = self.vocabulary.decode(result.said[name], self.tokenizer)
                return classify_symptom(Task.REPETITION, question.text, self.vocabulary.text(result.token_id), answer)
        return None

    def row(self, result: TokenResult) -> dict[str, Any]:
        """One line; wordings it was not asked in leave nulls."""
        token = result.token_id
        symptom = self.symptom(result) if result.verdict is Verdict.GLITCH else None
        margins = [value for value in result.margin.values() if not np.isnan(value)]
        row: dict[str, Any] = {
            "item": str(token),
            "id": token,
            "token": shown(self.vocabulary.names[token]),
            "kind": self.kinds[token].value,
            "type": self.vocabulary.type_of(token).value,
            "verdict": result.verdict.value,
            "glitch": result.verdict.as_glitch,
            "failed": result.n_failed,
            "asked": len(result.counting),
            "counting": self.n_counting,
            "prompt_dependent": result.is_prompt_dependent if result.in_sample else None,
            "margin": float(np.mean(margins)) if margins else None,
            "symptom": None if symptom is None else symptom.value,
            "in_sample": result.in_sample,
            "exposures": None if self.exposures is None else int(self.exposures[token]),
        }
        for name, wording in self.wordings.items():
            row[f"{name}/passed"] = result.passed.get(name)
            if wording.question is not None:
                said = result.said.get(name)
                row[f"{name}/answer"] = None if said is None else self.vocabulary.decode(said, self.tokenizer)
        return row
