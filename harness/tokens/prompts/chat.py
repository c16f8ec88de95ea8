"""A question as a chat model gets it: rendered through the tokenizer's own chat template, the slot left in."""

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from harness.tokens.prompts._templates import ChatForm, PromptTemplate

_QUESTION, _ANSWER = "Question: ", "Answer: "


def chat_form(template: PromptTemplate) -> ChatForm | None:
    """Who says what: as the template states it, else its `Question: ... Answer: ...` taken apart; None for neither."""
    if template.chat is not None:
        return template.chat
    question, found, prefill = template.text.partition("\n" + _ANSWER)
    if not found or not question.startswith(_QUESTION):
        return None
    return ChatForm(question.removeprefix(_QUESTION).strip(), prefill)


def render_chat(form: ChatForm, chat_template: str, special_tokens: Mapping[str, str]) -> str:
    """The prompt's text with its `{token}` slots, ending in the answer begun for the model.

    `chat_template` is the tokenizer's Jinja template; `special_tokens` holds what it refers to (`bos_token`, ...).
    A template that knows no system role gets the system text in front of the user's.
    """

    def render(messages: list[dict[str, str]]) -> str:
        options: dict[str, Any] = {"add_generation_prompt": True, **special_tokens}
        rendered = render_jinja_template([messages], chat_template=chat_template, **options)[0]
        return str(rendered[0]) + form.prefill

    if not form.system:
        return render([{"role": "user", "content": form.user}])
    try:
        return render([{"role": "system", "content": form.system}, {"role": "user", "content": form.user}])
    except TemplateError:
        return render([{"role": "user", "content": f"{form.system}\n{form.user}"}])
