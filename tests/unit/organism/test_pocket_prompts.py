"""Prompts are spliced by id: hand cases, and agreement with a placeholder in GPT-2's own tokenizer."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.tokens.prompts import SLOT, TEMPLATES, Task, TaskFamily, build_prompt, expected_answer, splice

pytestmark = pytest.mark.unit

GPT2 = Path(os.environ.get("HARNESS_SHARED", Path(__file__).parents[4] / "shared")) / "tokenizers" / "gpt2"
# GPT-2's id of "BuyableInstoreAndOnline", the placeholder that Magikarp uses there.
PLACEHOLDER, PLACEHOLDER_TEXT = 40242, "BuyableInstoreAndOnline"


def by_character(text: str) -> list[int]:
    return [ord(character) for character in text]


def test_the_id_stands_where_the_slot_was() -> None:
    assert splice("a'{token}'\n", 7000, by_character) == [ord("a"), ord("'"), 7000, ord("'"), ord("\n")]
    assert splice("{token}{token}", 7000, by_character) == [7000, 7000]


def test_a_tokenizer_that_marks_the_start_of_a_text_marks_only_the_first_piece() -> None:
    def with_start(text: str) -> list[int]:
        return [1, *by_character(text)]

    assert splice("x{token}y", 7000, with_start) == [1, ord("x"), 7000, ord("y")]


@pytest.mark.parametrize(
    ("task", "n_slots"),
    [
        (Task.REPETITION, 1),
        (Task.SPELLING, 1),
        (Task.LENGTH, 1),
        (Task.GLITCHPROBER, 1),
        (Task.GLITCHMINER, 1),
        (Task.MAGIKARP_INPUT_OUTPUT, 2 * 20 + 1),
        (Task.MAGIKARP_EXPLAIN, 1),
        (Task.MAGIKARP_REPEATS, 2 * 50 + 1),
    ],
)
def test_every_slot_holds_the_token(task: Task, n_slots: int) -> None:
    assert TEMPLATES[task].n_slots == n_slots
    assert build_prompt(TEMPLATES[task], 7000, by_character).count(7000) == n_slots


def test_the_prompts_end_where_the_answer_begins() -> None:
    ends = {task: template.text[-12:] for task, template in TEMPLATES.items()}
    assert ends[Task.REPETITION].endswith("ated string:")
    assert ends[Task.MAGIKARP_INPUT_OUTPUT].endswith("Output: «")
    assert ends[Task.MAGIKARP_EXPLAIN].endswith("Assistant: '")
    assert ends[Task.MAGIKARP_REPEATS].endswith(SLOT)
    assert ends[Task.GLITCHMINER].endswith(' is: "«')


@pytest.mark.parametrize(
    ("text", "spelling", "length"),
    [
        ("Hello", "H-e-l-l-o", "5"),
        (" Hello", "H-e-l-l-o", "5"),
        ("a", "a", "1"),
        ("    ", None, None),
        ("�", None, None),
        ("", None, None),
    ],
)
def test_right_answers(text: str, spelling: str | None, length: str | None) -> None:
    assert expected_answer(Task.SPELLING, text) == spelling
    assert expected_answer(Task.LENGTH, text) == length


def test_repetition_answers_with_the_text_itself() -> None:
    assert expected_answer(Task.REPETITION, " Hello") == " Hello"
    assert expected_answer(Task.REPETITION, "�") is None


def test_every_task_has_a_template_and_a_family() -> None:
    assert set(TEMPLATES) == set(Task)
    assert {task.family for task in Task} == set(TaskFamily)


@pytest.mark.skipif(not GPT2.is_dir(), reason=f"shared data not found at {GPT2}")
def test_pieces_agree_with_a_placeholder_in_gpt2() -> None:
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer(str(GPT2 / "vocab.json"), str(GPT2 / "merges.txt"))

    def encode(text: str) -> Sequence[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    assert encode(PLACEHOLDER_TEXT * 2) == [PLACEHOLDER] * 2
    for template in TEMPLATES.values():
        whole = encode(template.text.replace(SLOT, PLACEHOLDER_TEXT))
        assert build_prompt(template, PLACEHOLDER, encode) == list(whole), template.task
