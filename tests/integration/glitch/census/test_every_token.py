"""The fast census against one `generate` for each token, on every token of the embedded model."""

import pytest
import torch

from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import census_questions
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import EMBEDDED_FOLDER, resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from harness.tokens.prompts import Task

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.parametrize(("task", "every"), [(Task.REPETITION, 1), (Task.LENGTH, 8), (Task.SPELLING, 16)])
def test_same_verdicts_as_one_by_one(task, every):
    if not (EMBEDDED_FOLDER / "config.json").is_file():
        pytest.skip(f"no embedded model at {EMBEDDED_FOLDER}")
    from transformers import AutoModelForCausalLM

    config = ModelConfig(device="cpu")
    identity = resolve_identity(config)
    tokenizer = load_tokenizer(identity, config)
    facts = load_facts(identity, config, None, tokenizer)
    vocabulary = CensusVocabulary.read(tokenizer, facts)
    question = census_questions(tokenizer, facts)[task]
    fast = Interviewer(CausalModel.load(identity, config), tokenizer, vocabulary, facts.special_ids)
    found = {answer.token_id: answer for answer in fast.ask(question, vocabulary.testable_ids).answers}
    backend = AutoModelForCausalLM.from_pretrained(EMBEDDED_FOLDER).eval()
    different = []
    for token in list(found)[::every]:
        prompt = torch.tensor([question.prompt(token, tokenizer)])
        said = backend.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=question.max_new_tokens,
            do_sample=False,
            pad_token_id=0,
        )[0, prompt.shape[1] :].tolist()
        said = first_line(said, tokenizer, vocabulary.text(token) or "", facts.special_ids)
        slow = fast.judge(question, token, said)
        if (
            slow.passed != found[token].judgement.passed
            or list(found[token].answer_ids) != said[: len(found[token].answer_ids)]
        ):
            different.append((token, found[token].answer_ids, said))
    assert not different


def first_line(said, tokenizer, text, special_ids):
    """The ids up to the end of the first line that is not blank, or up to a special id."""
    for n in range(1, len(said) + 1):
        if said[n - 1] in special_ids:
            return said[: n - 1]
        if "\n" not in text.strip() and "\n" in tokenizer.decode(said[:n]).lstrip():
            return said[:n]
    return said
