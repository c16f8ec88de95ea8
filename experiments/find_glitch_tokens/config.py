"""The parameters of exp=find_glitch_tokens, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Count, Probability, Share, must_be
from harness.glitch.census.rules import N_KNOWN, wording_inputs
from harness.glitch.detectors import roster
from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.indicators import known_unused_ids
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.prompts.rules import BosRule, ChatRule


@dataclass(frozen=True)
@roster.with_settings
class FindGlitchTokensConfig:
    """Parameters of `exp=find_glitch_tokens`; those of one detector are below its name."""

    detector: Annotated[str, must_be(f"one of {', '.join(roster.names())}", lambda name: name in roster.names())] = (
        ActiveCensus.name
    )
    """Which of those that `exp=detectors` compares."""
    budget: Share = 0.1
    """Token positions it may spend at most, as a share of asking every token once in the cheapest wording that
    counts."""
    missed_below: Probability | None = 0.02
    """The search ends once the glitch tokens expected to be missed are below this share of all that are expected; null:
    the budget is spent."""
    confirm: bool = True
    """Whether tokens reported without having been asked are asked after the search, the most doubtful first, as far as
    the budget goes; those that pass are taken off the list."""
    n_tokens: Count | None = None
    """Random tokens that stand for the vocabulary; default: all of it."""
    n_calibration: Count = N_KNOWN
    """Each wording is tried on at most so many well-known tokens first."""
    unused_ids: tuple[int, ...] = ()
    """Ids known to be unused, for the indicators; default: from the tokenizer."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: Count | None = None
    """Prompts per pass; default: from memory."""


def inputs(_: RunConfig[FindGlitchTokensConfig], __: ModelIdentity | None) -> Mapping[str, str]:
    """The rule and the wordings that verdicts depend on."""
    return wording_inputs()


def check(context: CheckContext[FindGlitchTokensConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    if context.exp.unused_ids:
        known_unused_ids(context.evidence, context.exp.unused_ids)


EXPERIMENT = Experiment(
    name="find_glitch_tokens",
    version=2,
    summary="A list of a model's glitch tokens with probabilities, for a small part of what asking every token costs.",
    config=FindGlitchTokensConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=inputs,
)
