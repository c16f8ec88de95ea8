"""A model that answers the census by script: which tokens fail is known beforehand."""

from pathlib import Path
from types import SimpleNamespace

import torch

from harness.glitch.census.matching import CENSUS_TASKS
from harness.glitch.census.questions import census_questions, question_with_examples
from harness.glitch.census.wordings import make_wordings
from harness.models.answers.causal_model import CausalModel
from harness.models.facts import load_facts
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.organism._tokenizer import make_tokenizer, save_tokenizer
from harness.tokens.prompts import Task, expected_answer

# Byte pairs in GPT-2's letters; Ġ is a space.
MERGES = [tuple(pair.split()) for pair in ("Ġ t", "h e", "Ġt he", "c a", "ca p", "o n", "Ġ a", "i n", "e r", "r e")]
EXTRA_ROWS = 2


def write_model(folder: Path, tied: bool = True) -> Path:
    """A tiny GPT-2 with random weights, a byte-level tokenizer and two rows more than tokens."""
    import transformers as tf

    tokenizer = make_tokenizer(MERGES)
    config = tf.GPT2Config(
        vocab_size=tokenizer.get_vocab_size() + EXTRA_ROWS, n_positions=1024, n_embd=16, n_layer=1, n_head=2,
        tie_word_embeddings=tied,
    )  # fmt: skip
    state = torch.get_rng_state()
    torch.manual_seed(0)
    tf.GPT2LMHeadModel(config).save_pretrained(folder)
    torch.set_rng_state(state)
    save_tokenizer(tokenizer, folder, 1024)
    return folder


class _Scripted(torch.nn.Module):
    """Says the answer written down for a prompt, token by token; 0 behind it."""

    def __init__(self, d_vocab: int, answers: dict[tuple[int, ...], list[int]], newline: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(1, d_vocab, bias=False)
        self.config = SimpleNamespace(pad_token_id=None, get_text_config=lambda: SimpleNamespace(num_hidden_layers=1))
        self._answers, self._newline = answers, newline

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.head

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.head

    def forward(self, input_ids: torch.Tensor, use_cache: bool = False) -> SimpleNamespace:
        logits = torch.zeros(*input_ids.shape, self.head.weight.shape[0])
        for row, ids in enumerate(input_ids.tolist()):
            logits[row, -1, self._next(tuple(ids))] = 1.0
        return SimpleNamespace(logits=logits)

    def _next(self, ids: tuple[int, ...]) -> int:
        for n_said in range(min(40, len(ids)) + 1):
            answer = self._answers.get(ids[: len(ids) - n_said])
            if answer is not None:
                return answer[n_said] if n_said < len(answer) else self._newline
        return self._newline


def answering_model(facts: VocabFacts, tokenizer: Tokenizer, answers: dict[tuple[int, ...], list[int]]) -> CausalModel:
    """A model that says `answers[prompt]`, and line ends to any other prompt."""
    (newline,) = tokenizer.encode("\n")
    return CausalModel(_Scripted(facts.d_vocab, answers, newline), facts.n_ctx)


def scripted_model(
    identity, config, wrong: dict[Task, dict[int, str]], after_examples: dict[int, str] | None = None
) -> CausalModel:
    """A model that is right about every token but those of `wrong[task]`, of which it says the text given there.

    What it says of a token asked to be repeated it says in every wording of the ladder. `after_examples`: what it
    spells wrongly after solved examples, which it follows otherwise; None: it follows none.
    """
    tokenizer = load_tokenizer(identity, config)
    facts = load_facts(identity, config, None, tokenizer)
    questions = census_questions(tokenizer, facts)
    answers = {}
    for task in CENSUS_TASKS:
        for token in range(facts.d_vocab):
            prompt = tuple(questions[task].prompt(token, tokenizer))
            text = tokenizer.decode([token]) if token not in facts.unnamed_ids else ""
            if token in wrong.get(task, {}):
                said = tokenizer.encode(wrong[task][token] + "\n")
            elif task is Task.REPETITION:
                said = [*tokenizer.encode("'"), token, *tokenizer.encode("'\n")]
            else:
                said = tokenizer.encode(" " + (expected_answer(task, text) or "nothing") + "\n")
            answers[prompt] = said
    if after_examples is not None:
        question = question_with_examples(Task.SPELLING, tokenizer, facts)
        for token in range(facts.d_vocab):
            text = tokenizer.decode([token]) if token not in facts.unnamed_ids else ""
            said = after_examples.get(token, " " + (expected_answer(Task.SPELLING, text) or "nothing"))
            answers[tuple(question.prompt(token, tokenizer))] = tokenizer.encode(said + "\n")
    for wording in make_wordings(tokenizer, facts):
        question = wording.question
        if question is None:
            continue
        for token in range(facts.d_vocab):
            opened, closed = ("", question.closing) if question.closing else ("'", "'")
            told = wrong.get(Task.REPETITION, {}).get(token)
            right = [*tokenizer.encode(opened), token, *tokenizer.encode(f"{closed}\n")]
            answers[tuple(question.prompt(token, tokenizer))] = right if told is None else tokenizer.encode(told + "\n")
    return answering_model(facts, tokenizer, answers)
