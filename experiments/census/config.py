"""The parameters of exp=census, and what it refuses."""

from dataclasses import dataclass

from harness.constraints import Count
from harness.errors import FieldRejected, span
from harness.glitch.census.matching import CENSUS_TASKS, RULE_VERSION
from harness.models.answers.requirements import require_plain_weights
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.prompts import prompt_versions
from harness.tokens.prompts.rules import BosRule, ChatRule


@dataclass(frozen=True)
class CensusConfig:
    """Parameters of `exp=census`."""

    n_tokens: Count | None = None
    """How many tokens, drawn without replacement by `seed`; default: every token."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    ask_all: bool = False
    """Also ask the tasks that say nothing about this model."""
    batch_size: Count | None = None
    """Prompts per pass; default: from memory. Changes no verdict in float32 but for ties."""
    shard: Count = 512
    """Tokens that are kept or lost together when a run is interrupted."""


def check(context: CheckContext[CensusConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    most = context.facts.d_vocab - len(context.facts.special_ids)
    if context.exp.n_tokens is not None and context.exp.n_tokens > most:
        raise FieldRejected.key("n_tokens", context.exp.n_tokens, f"{span(1, most)}, the tokens that are not special")


EXPERIMENT = Experiment(
    name="census",
    version=2,
    summary="Every token through repetition, spelling and length: which are glitch tokens, and how they fail.",
    config=CensusConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=lambda *_: {"rule": RULE_VERSION, **prompt_versions(CENSUS_TASKS)},
)
