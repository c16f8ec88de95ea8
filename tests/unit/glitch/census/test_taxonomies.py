"""Symptoms and types, tried on the published examples (Li et al. 2024) and on cases at their edges."""

import pytest

from harness.glitch.census.symptoms import Symptom, classify_symptom
from harness.glitch.census.token_types import TokenType, classify_type, recognisable_words
from harness.tokens.prompts import TEMPLATES, Task

pytestmark = pytest.mark.unit

WORDS = frozenset({"quick", "ship", "available", "the", "for"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quickShipAvailable", TokenType.WORD),  # published
        ("davidjl", TokenType.LETTER),  # published
        ('\\\\\\"', TokenType.CHARACTER),  # published
        ("\\GeneratedValue", TokenType.LETTER_CHARACTER),  # published
        ("réalis", TokenType.SPECIAL),  # published
        (" the", TokenType.WORD),
        (" thefor", TokenType.WORD),
        (" thefo", TokenType.LETTER),
        ("123", TokenType.CHARACTER),
        ("a1", TokenType.LETTER_CHARACTER),
        ("   ", TokenType.CHARACTER),
        (None, TokenType.SPECIAL),
    ],
)
def test_types(text, expected):
    assert classify_type(text, WORDS) is expected


def test_recognisable_words_stand_behind_a_space_early_in_the_vocabulary():
    texts = ["ing", " the", " of", " quick", " ship", " vol9", " zzq", " rar"]
    assert recognisable_words(texts) == {"the", "quick", "ship"}
    assert recognisable_words([]) == frozenset()


def test_published_examples_with_the_words_of_gpt2s_own_vocabulary(shared_dir):
    from harness.models.config import ModelConfig, TokenizerConfig
    from harness.models.identity import ModelIdentity, ModelSource
    from harness.models.tokenizer_loading import load_tokenizer

    nobody = ModelIdentity("none", ModelSource.LOCAL, None, None, None, "none")
    tokenizer = load_tokenizer(nobody, ModelConfig(), TokenizerConfig(str(shared_dir / "tokenizers" / "gpt2")))
    words = recognisable_words([tokenizer.token_text(i) for i in range(tokenizer.n_tokens)])
    assert classify_type("quickShipAvailable", words) is TokenType.WORD
    assert classify_type("davidjl", words) is TokenType.LETTER


def symptom(task, text, answer):
    return classify_symptom(task, TEMPLATES[task].text, text, answer)


@pytest.mark.parametrize(
    ("task", "text", "answer", "expected"),
    [
        (Task.REPETITION, "cloneembedreportprint", " clonenetesla", Symptom.SPELLING_MISTAKE),  # published
        (Task.SPELLING, "atform", " F-A-R-M-T-B", Symptom.HALLUCINATORY_COMPLETION),  # published
        (Task.LENGTH, "atform", " 9", Symptom.HALLUCINATORY_COMPLETION),  # published: every wrong length
        (Task.LENGTH, "atform", "I cannot count", Symptom.HALLUCINATORY_COMPLETION),
        (Task.REPETITION, "atform", "I'm sorry, I didn't catch that", Symptom.INCAPABILITY),
        (Task.REPETITION, "atform", "Please can you repeat the string", Symptom.QUESTION_REPETITION),
        (Task.REPETITION, "atform", "\nQuestion: What is", Symptom.QUESTION_REPETITION),
        (Task.REPETITION, "atform", "", Symptom.RANDOM_CHARACTERS),
        (Task.REPETITION, "atform", "#$%^ &a", Symptom.RANDOM_CHARACTERS),
        (Task.REPETITION, "atform", "�", Symptom.RANDOM_CHARACTERS),
        (Task.SPELLING, "atform", "a-t-f-o-r", Symptom.SPELLING_MISTAKE),
        (Task.REPETITION, "atform", "the weather in Spain", Symptom.HALLUCINATORY_COMPLETION),
        (Task.REPETITION, None, "the weather in Spain", Symptom.HALLUCINATORY_COMPLETION),
    ],
)
def test_symptoms(task, text, answer, expected):
    assert symptom(task, text, answer) is expected
