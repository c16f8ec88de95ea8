"""The parameters of exp=glitchhunter, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from harness.constraints import Count, must_be
from harness.errors import FieldRejected, span
from harness.glitch.census.stored import census_inputs
from harness.glitch.detectors.glitchhunter import GlitchHunterSettings
from harness.glitch.graph.choices import Projection
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.prompts import Task
from harness.tokens.prompts.rules import BosRule, ChatRule


def _each_once(tasks: tuple[Task, ...]) -> bool:
    return 0 < len(tasks) == len(set(tasks))


@dataclass(frozen=True)
class GlitchHunterConfig(GlitchHunterSettings):
    """Parameters of `exp=glitchhunter`: how the hunt proceeds, where verdicts come from, what it is compared with."""

    tasks: Annotated[tuple[Task, ...], must_be("tasks, each once, at least one", _each_once)] = (Task.REPETITION,)
    """A token fails if it fails any of these. The paper uses repetition while it hunts."""
    from_census: bool = False
    """Take verdicts from the census (by agreement of wordings) instead of prompting the model."""
    census: Path | None = None
    """Folder of a finished census; default: the newest of this model below results_dir, if there is one."""
    budget: Count | None = None
    """Queries at most; default: no limit."""
    projection: Projection = Projection.AUTO
    """How the picture's coordinates are found."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: Count | None = None
    """Prompts per pass; default: from memory."""


def check(context: CheckContext[GlitchHunterConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    n_tokens = context.facts.d_vocab - len(context.facts.special_ids)
    if context.exp.k >= n_tokens:
        allowed = f"{span(1, n_tokens - 1)}, neighbours among the {n_tokens} tokens that are not special"
        raise FieldRejected.key("k", context.exp.k, allowed)


def inputs(config: RunConfig[GlitchHunterConfig], identity: ModelIdentity | None) -> Mapping[str, str]:
    """The census that is taken for the truth: with another one it is another run."""

    return census_inputs(config.exp.census, config.results_dir, identity)


EXPERIMENT = Experiment(
    name="glitchhunter",
    version=3,
    summary="GlitchHunter: cluster the embedding graph, test a sample of every cluster, keep what fails, start over.",
    config=GlitchHunterConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=inputs,
)
