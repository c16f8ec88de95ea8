"""The parameters of exp=detectors, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from harness.constraints import Count, Share, must_be
from harness.glitch.census.stored import census_inputs
from harness.glitch.detectors import roster
from harness.glitch.indicators import known_unused_ids
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.prompts.rules import BosRule, ChatRule


def _are_known(names: tuple[str, ...]) -> bool:
    return 0 < len(names) == len(set(names) & set(roster.names()))


@dataclass(frozen=True)
@roster.with_settings
class DetectorsConfig:
    """Parameters of `exp=detectors`; those of one detector are below its name."""

    detectors: Annotated[
        tuple[str, ...], must_be(f"one or more of {', '.join(roster.names())}, each once", _are_known)
    ] = roster.names()
    """Which are compared."""
    budget_share: Share = 0.1
    """Queries each may spend, as a share of what the whole census costs."""
    n_seeds: Count = 5
    """Times each is run, with detector seeds 0, 1, ... (from the run's seed on)."""
    census: Path | None = None
    """Folder of a finished census; default: the newest complete one of this model below results_dir, else its own."""
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


def inputs(config: RunConfig[DetectorsConfig], identity: ModelIdentity | None) -> Mapping[str, str]:
    """The census that is taken for the truth: with another one it is another run."""

    return census_inputs(config.exp.census, config.results_dir, identity)


EXPERIMENT = Experiment(
    name="detectors",
    version=4,
    summary="Every published detector of glitch tokens and our own, on one census, with one budget of queries.",
    config=DetectorsConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=inputs,
)
