"""What a run may show a detector of its model."""

from collections.abc import Sequence
from typing import Any

from harness.errors import Rejected
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question, make_question
from harness.glitch.detectors.passes import ModelPasses
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.view import ModelView, make_view
from harness.glitch.indicators import UnusedIds, known_unused_ids
from harness.runs.context import Run
from harness.tokens.prompts import TEMPLATES, Task
from harness.tokens.prompts.rules import BosRule, ChatRule
from harness.tokens.vocabulary_audit import Category, audit_vocabulary


def unused_of(run: Run[Any], asked_for: Sequence[int]) -> UnusedIds:
    """Ids known to be unused: those the config names, else from the tokenizer; a note where there are none."""
    try:
        return known_unused_ids(run.evidence, tuple(asked_for) or None)
    except Rejected:
        run.note(
            "No id of this model is known to be unused, so indicators that need one are left out; magikarp ranks by "
            "the norm of the row."
        )
        return UnusedIds((), "none known")


def view_of(
    run: Run[Any],
    interviewer: Interviewer,
    ids: Sequence[int],
    unused: UnusedIds,
    price: QueryPrice,
    first_wording: str | None,
    bos: BosRule,
    chat: ChatRule,
) -> ModelView:
    """The view of the model that `interviewer` prompts, for verdicts on `ids`; `first_wording`: of a query."""
    model, tokenizer, facts = interviewer.model, run.tokenizer, run.facts
    audit = audit_vocabulary(tokenizer, facts.d_vocab)
    normal = {token.id for token in audit.of(Category.OK)}
    # GlitchMiner's filter knows no category for bytes: one that decodes is a token like any other.
    normal |= {token.id for token in audit.of(Category.BYTE) if token.byte is not None and token.byte < 128}

    def question(task: Task) -> Question:
        return make_question(TEMPLATES[task], tokenizer, facts, bos, chat)

    repetition = question(Task.REPETITION)
    passes = ModelPasses(
        model,
        lambda: run.model,
        tokenizer,
        question(Task.GLITCHMINER),
        repetition,
        ("glitchhunter_chat" if repetition.is_chat else "glitchhunter") == first_wording,
    )
    return make_view(
        facts,
        interviewer.vocabulary,
        ids,
        model.embedding().float().cpu().numpy(),
        model.unembedding().float().cpu().numpy(),
        model.is_tied,
        unused.ids,
        normal,
        passes,
        price,
    )
