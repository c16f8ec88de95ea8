"""The parameters of exp=detectors, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Count, must_be
from harness.glitch.census.rules import N_KNOWN, wording_inputs
from harness.glitch.detectors import roster
from harness.glitch.indicators import known_unused_ids
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.prompts.rules import BosRule, ChatRule


def _are_known(names: tuple[str, ...]) -> bool:
    return 0 < len(names) == len(set(names) & set(roster.names()))


def _ascend(shares: tuple[float, ...]) -> bool:
    return len(shares) >= 1 and list(shares) == sorted(set(shares)) and shares[0] > 0 and shares[-1] <= 1


@dataclass(frozen=True)
@roster.with_settings
class DetectorsConfig:
    """Parameters of `exp=detectors`; those of one detector are below its name."""

    detectors: Annotated[
        tuple[str, ...], must_be(f"one or more of {', '.join(roster.names())}, each once", _are_known)
    ] = roster.names()
    """Which are compared."""
    budgets: Annotated[tuple[float, ...], must_be("ascending shares above 0, at most 1", _ascend)] = (
        0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.34,
    )  # fmt: skip
    """Token positions each may spend, as shares of what asking every token once in the cheapest wording that counts
    takes."""
    n_seeds: Count = 5
    """Times each is run, with detector seeds 0, 1, ... (from the run's seed on); once where nothing in it is random."""
    n_tokens: Count | None = None
    """Random tokens that stand for the vocabulary; default: all of it."""
    n_calibration: Count = N_KNOWN
    """Each wording is tried on at most so many well-known tokens first."""
    without_budget: bool = True
    """Whether detectors that end by themselves are also run to their end."""
    sensitivity: bool = True
    """Whether GlitchHunter is also run to its end with other values of the settings its paper does not give."""
    unused_ids: tuple[int, ...] = ()
    """Ids known to be unused, for the indicators; default: from the tokenizer."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: Count | None = None
    """Prompts per pass; default: from memory."""


def check(context: CheckContext[DetectorsConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    if context.exp.unused_ids:
        known_unused_ids(context.evidence, context.exp.unused_ids)


def inputs(_: RunConfig[DetectorsConfig], __: ModelIdentity | None) -> Mapping[str, str]:
    """The rule and the wordings that the truth depends on."""
    return wording_inputs()


EXPERIMENT = Experiment(
    name="detectors",
    version=6,
    summary="Every published detector of glitch tokens, controls and our own, on one truth, with one budget of tokens.",
    config=DetectorsConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=inputs,
)
