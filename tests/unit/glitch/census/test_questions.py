"""Prompts as ids: the token spliced in by id, BOS where it belongs, chat templates rendered around the same words."""

from dataclasses import dataclass

import pytest

from harness.glitch.census.questions import census_questions, leading_ids, make_question
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.prompts import TEMPLATES, Task
from harness.tokens.prompts.chat import chat_form, render_chat
from harness.tokens.prompts.rules import BosRule, ChatRule

pytestmark = pytest.mark.unit

CHATML = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML


@dataclass
class Characters(Tokenizer):
    """One id a character."""

    chat_template: str | None = None
    adds_bos: bool = False
    special_texts = {"bos_token": "<s>"}  # noqa: RUF012

    def encode(self, text):
        return [ord(character) for character in text]


def facts(bos_id=1, exposures=None):
    return VocabFacts("x", 2000, 512, 2000, (), frozenset({1}), bos_id, (), (), exposures)


def text_of(ids, token):
    return "".join("{token}" if i == token else chr(i) for i in ids)


@pytest.mark.parametrize("task", list(Task))
def test_the_prompt_is_the_template_with_the_id_in_every_slot(task):
    question = make_question(TEMPLATES[task], Characters(), facts(), BosRule.NEVER)
    prompt = question.prompt(1999, Characters())
    assert text_of(prompt, 1999) == TEMPLATES[task].text
    assert prompt.count(1999) == TEMPLATES[task].n_slots
    assert question.prompt(1998, Characters()) == [1998 if i == 1999 else i for i in prompt]


@pytest.mark.parametrize(
    ("adds_bos", "counted", "rule", "front"),
    [
        (False, False, BosRule.AUTO, ()),  # GPT-2: its tokenizer puts nothing in front
        (True, False, BosRule.AUTO, (1,)),  # Llama
        (False, True, BosRule.AUTO, (1,)),  # an organism: its rows begin with BOS
        (True, True, BosRule.NEVER, ()),
        (False, False, BosRule.ALWAYS, (1,)),
    ],
)
def test_bos(adds_bos, counted, rule, front):
    exposures = object() if counted else None
    known = VocabFacts("x", 2000, 512, 2000, (), frozenset({1}), 1, (), (), None)
    object.__setattr__(known, "exposures", exposures)
    assert leading_ids(Characters(adds_bos=adds_bos), known, rule) == front
    assert leading_ids(Characters(adds_bos=True), facts(bos_id=None), rule) == ()


def test_a_chat_template_is_used_and_recorded():
    questions = census_questions(Characters(CHATML), facts())
    question = questions[Task.REPETITION]
    assert question.text == (
        "<s><|user|>Please can you repeat the string '{token}' and return back to me?<|end|><|assistant|>"
        "Of course! Here is the repeated string:"
    )
    assert (question.is_chat, question.bos) == (True, ())
    assert question.version == TEMPLATES[Task.REPETITION].version + "+chat"
    assert question.as_dict()["chat"] is True
    assert text_of(question.prompt(1999, Characters()), 1999) == question.text


def test_a_chat_template_can_be_left_aside():
    question = make_question(TEMPLATES[Task.LENGTH], Characters(CHATML), facts(), chat=ChatRule.NEVER)
    assert (question.text, question.is_chat) == (TEMPLATES[Task.LENGTH].text, False)


def test_a_template_without_a_system_role_gets_the_system_text_from_the_user():
    from harness.tokens.prompts import ChatForm

    form = ChatForm("repeat {token}", "It is", "Be exact.")
    assert "<|system|>Be exact." in render_chat(form, CHATML, {"bos_token": ""})
    assert "<|user|>Be exact.\nrepeat {token}" in render_chat(form, NO_SYSTEM, {"bos_token": ""})


def test_prompts_of_many_shots_have_no_chat_form():
    assert chat_form(TEMPLATES[Task.MAGIKARP_INPUT_OUTPUT]) is None
    assert chat_form(TEMPLATES[Task.GLITCHMINER]) == TEMPLATES[Task.GLITCHMINER].chat
