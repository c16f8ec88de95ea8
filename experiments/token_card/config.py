"""The parameters of exp=token_card, and what it refuses."""

from dataclasses import dataclass

from harness.constraints import Count
from harness.errors import FieldRejected
from harness.glitch.indicators import known_unused_ids
from harness.models.answers.requirements import require_plain_weights
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.lookup import find_token
from harness.tokens.prompts.rules import BosRule, ChatRule


@dataclass(frozen=True)
class TokenCardConfig:
    """Parameters of `exp=token_card`."""

    token: int | str | None = None
    """The token by its id, or by its exact text (leading space included); a text of several tokens is refused."""
    n_neighbours: Count = 10
    """Nearest rows that are listed."""
    n_known: Count = 64
    """Most well-known tokens that a wording is tried on, and that stand before the token; drawn by `seed`."""
    unused_ids: tuple[int, ...] | None = None
    """Ids known to be unused; default: as in exp=undertrained."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory."""


def check(context: CheckContext[TokenCardConfig]) -> None:
    """Refuse what is not one token, before weights are loaded."""

    require_plain_weights(context.config.model)
    tokenizer = context.tokenizer
    if context.exp.token is None:
        raise FieldRejected.key("token", None, f"an id from 0 to {context.facts.d_vocab - 1}, or the text of one token")
    find_token(context.exp.token, context.facts.d_vocab, tokenizer)
    if context.exp.unused_ids is not None:
        known_unused_ids(context.evidence, context.exp.unused_ids)


EXPERIMENT = Experiment(
    name="token_card",
    version=4,
    summary="Everything known about one token: text, merges, neighbours, indicators, exposures, answers, logits.",
    config=TokenCardConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
)
