"""The parameters of exp=undertrained, and what it refuses."""

from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Whole, must_be
from harness.glitch.indicators import known_unused_ids
from harness.models.answers.requirements import require_plain_weights
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.prompts import Task, prompt_versions
from harness.tokens.prompts.rules import BosRule

PROMPTS = (Task.MAGIKARP_INPUT_OUTPUT, Task.MAGIKARP_EXPLAIN, Task.MAGIKARP_REPEATS)


"""The three verification prompts."""


@dataclass(frozen=True)
class UndertrainedConfig:
    """Parameters of `exp=undertrained`."""

    percentile: Annotated[float, must_be("above 0, at most 100", lambda share: 0 < share <= 100)] = 2.0
    """Share of reachable tokens, in percent, that become candidates; 100 verifies them all."""
    unused_ids: tuple[int, ...] | None = None
    """Ids known to be unused; default: the published list of the tokenizer, else the first rule that finds enough."""
    controls: Whole = 256
    """At most so many random tokens that are no candidates are verified as well; 0: none."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory."""


def check(context: CheckContext[UndertrainedConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    if context.exp.unused_ids is not None:
        known_unused_ids(context.evidence, context.exp.unused_ids)


EXPERIMENT = Experiment(
    name="undertrained",
    version=4,
    summary="Under-trained tokens by their weights, verified by asking for them (Magikarp).",
    config=UndertrainedConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=lambda *_: prompt_versions(PROMPTS),
)
