"""A model that answers every wording of a census by script: which tokens fail in which way is known beforehand."""

from collections.abc import Mapping
from types import SimpleNamespace

import torch

from harness.glitch.census.wordings import make_wordings
from harness.models.answers.causal_model import CausalModel
from harness.models.facts import load_facts
from harness.models.tokenizer_loading import load_tokenizer
from tests.helpers.copying import HEIGHT, CopyRule

_MOST_SAID = 12


class _AnswersAndCopies(CopyRule):
    """Says the answer written down for a prompt; anywhere else it copies what it has seen before."""

    def __init__(
        self, d_vocab: int, answers: Mapping[tuple[int, ...], list[int]], newline: int, misread: frozenset[int],
        copies: bool,
    ) -> None:  # fmt: skip
        super().__init__(d_vocab, misread, copies)
        # Wide enough that no two rows coincide: the model can tell all its tokens apart.
        self.rows = torch.nn.Linear(32, d_vocab, bias=False)
        self._answers, self._newline = answers, newline

    def forward(
        self, input_ids: torch.Tensor, use_cache: bool = False, logits_to_keep: int | torch.Tensor = 0
    ) -> SimpleNamespace:
        """Logits at some positions."""
        said = [self._next(tuple(ids)) for ids in input_ids.tolist()]
        if isinstance(logits_to_keep, int) and logits_to_keep == 1 and None not in said:
            logits = torch.zeros(len(said), 1, self.rows.weight.shape[0])
            logits[torch.arange(len(said)), 0, torch.tensor(said)] = HEIGHT
            return SimpleNamespace(logits=logits, past_key_values=None)
        return super().forward(input_ids, use_cache, logits_to_keep)

    def _next(self, ids: tuple[int, ...]) -> int | None:
        for n_said in range(min(_MOST_SAID, len(ids)) + 1):
            answer = self._answers.get(ids[: len(ids) - n_said])
            if answer is not None:
                return answer[n_said] if n_said < len(answer) else self._newline
        return None


def ladder_model(identity, config, wrong, misread=frozenset(), copies=True) -> CausalModel:
    """A model that says every token in every wording but those of `wrong[name of the wording]` (True: none at all).

    A wrong answer is another letter. `misread`: tokens that it copies as the next id instead.
    """
    tokenizer = load_tokenizer(identity, config)
    facts = load_facts(identity, config, None, tokenizer)
    (newline,), (quote,) = tokenizer.encode("\n"), tokenizer.encode("'")
    answers: dict[tuple[int, ...], list[int]] = {}
    for wording in make_wordings(tokenizer, facts):
        question = wording.question
        if question is None:
            continue
        fails = wrong.get(wording.name, frozenset())
        for token in range(facts.d_vocab):
            (other,) = tokenizer.encode("b" if tokenizer.decode([token]).strip().lower() != "b" else "c")
            said = other if fails is True or token in fails else token
            closed = tokenizer.encode(question.closing) if question.closing else [quote]
            answers[tuple(question.prompt(token, tokenizer))] = [*([] if question.closing else [quote]), said, *closed]
    return CausalModel(_AnswersAndCopies(facts.d_vocab, answers, newline, frozenset(misread), copies), facts.n_ctx)
