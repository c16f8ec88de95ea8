"""The questions of the census as ids for one model: exact prompts, chat template, BOS, room for the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.glitch.census.matching import CENSUS_TASKS
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.prompts import SHOT_WORDS, TEMPLATES, WITH_EXAMPLES, PromptTemplate, Task, splice
from harness.tokens.prompts.chat import chat_form, render_chat
from harness.tokens.prompts.rules import BosRule, ChatRule

# Ten is what the published repetition tests allow. A spelling takes up to two tokens a letter.
MAX_NEW_TOKENS = {Task.SPELLING: 36}
DEFAULT_NEW_TOKENS = 10


@dataclass(frozen=True)
class Question:
    """One task's prompt for one model. `text` holds `{token}` slots; `bos` goes in front of its ids."""

    task: Task
    version: str
    source: str
    text: str
    is_chat: bool
    bos: tuple[int, ...]
    max_new_tokens: int
    gives_away: frozenset[str] = frozenset()
    """Words whose answer the prompt shows, in lower case: it can't be asked about them."""
    closing: str = ""
    """The sign that closes the answer, where the prompt has opened it; else the answer may open with any."""
    _pieces: dict[int, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def prompt(self, token_id: int, tokenizer: Tokenizer) -> list[int]:
        """Ids of the prompt with `token_id` in every slot."""
        # Built once with a placeholder that is no token's id; a prompt for a token is a copy with the id put in.
        if -1 not in self._pieces:
            self._pieces[-1] = [*self.bos, *splice(self.text, -1, tokenizer.encode)]
        return [token_id if piece == -1 else piece for piece in self._pieces[-1]]

    def after(self, text: str) -> "Question":
        """The same question with some text in front of it."""
        return replace(self, version=f"{self.version}+after", text=text + self.text, _pieces={})

    def anew(self) -> "Question":
        """The same question, to be cut by another tokenizer."""
        return replace(self, _pieces={})

    def as_dict(self) -> dict[str, Any]:
        """What details.json records of it."""
        return {
            "version": self.version,
            "source": self.source,
            "text": self.text,
            "chat": self.is_chat,
            "bos": list(self.bos),
            "max_new_tokens": self.max_new_tokens,
            "closing": self.closing,
        }


def leading_ids(tokenizer: Tokenizer, facts: VocabFacts, rule: BosRule) -> tuple[int, ...]:
    """The BOS in front of a plain prompt, or nothing."""
    bos = facts.bos_id
    if bos is None or rule is BosRule.NEVER:
        return ()
    if rule is BosRule.AUTO and facts.exposures is None and not tokenizer.adds_bos:
        return ()
    return (bos,)


def make_question(
    template: PromptTemplate,
    tokenizer: Tokenizer,
    facts: VocabFacts,
    bos: BosRule = BosRule.AUTO,
    chat: ChatRule = ChatRule.AUTO,
    max_new_tokens: int | None = None,
) -> Question:
    """One template as this model is prompted with it."""
    room = max_new_tokens or MAX_NEW_TOKENS.get(template.task, DEFAULT_NEW_TOKENS)
    form = chat_form(template)
    if tokenizer.chat_template is None or chat is ChatRule.NEVER or form is None:
        front = leading_ids(tokenizer, facts, bos)
        version, text = template.version, template.text
        return Question(template.task, version, template.source, text, False, front, room, closing=template.closing)
    text = render_chat(form, tokenizer.chat_template, tokenizer.special_texts)
    # A chat template writes its own BOS.
    return Question(
        template.task, f"{template.version}+chat", template.source, text, True, (), room, closing=template.closing
    )


def question_with_examples(
    task: Task, tokenizer: Tokenizer, facts: VocabFacts, bos: BosRule = BosRule.AUTO
) -> Question:
    """Spelling or length after solved examples of other words; never through a chat template."""
    question = make_question(WITH_EXAMPLES[task], tokenizer, facts, bos, ChatRule.NEVER)
    return replace(question, gives_away=frozenset(SHOT_WORDS))


def census_questions(
    tokenizer: Tokenizer,
    facts: VocabFacts,
    bos: BosRule = BosRule.AUTO,
    chat: ChatRule = ChatRule.AUTO,
    tasks: tuple[Task, ...] = CENSUS_TASKS,
) -> Mapping[Task, Question]:
    """The questions of a census, in order."""
    return {task: make_question(TEMPLATES[task], tokenizer, facts, bos, chat) for task in tasks}
