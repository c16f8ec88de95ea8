"""The parameters of exp=audit, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from experiments.audit.constituent_runs import census_config, undertrained_config
from experiments.audit.other import find_other
from harness.constraints import must_be
from harness.errors import FieldRejected
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.runs.part_config import check_part
from harness.tokens.prompts.rules import BosRule, ChatRule


@dataclass(frozen=True)
class AuditConfig:
    """Parameters of `exp=audit`."""

    max_glitch_rate: Annotated[float, must_be("a share from 0 to 1", lambda rate: 0 <= rate <= 1)] | None = None
    """The gate: the largest share of glitch tokens among those tested; default: no gate."""
    compare_to: str | None = None
    """Another revision: a hub name, a folder of weights, or the folder of a finished run of exp=audit or exp=census."""
    compare_revision: str | None = None
    """Branch, tag or commit of `compare_to` on the hub."""
    n_tokens: int | None = None
    """How many tokens the census tests, drawn by `seed`; default: every token."""
    percentile: float = 2.0
    """Share of reachable tokens, in percent, that are verified as under-trained."""
    unused_ids: tuple[int, ...] | None = None
    """Ids known to be unused; default: as in exp=undertrained."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory."""

    def __post_init__(self) -> None:
        if self.compare_revision is not None and self.compare_to is None:
            raise FieldRejected("compare_revision: it needs ", "compare_to=<hub name> beside it")


def inputs(config: RunConfig[AuditConfig], _: ModelIdentity | None) -> Mapping[str, str]:
    """The weights, or the run, that this one is compared with."""

    other = find_other(config)
    return {} if other is None else {"compare_to": other.fingerprint}


def check(context: CheckContext[AuditConfig]) -> None:
    """Refuse what one of the parts would refuse."""

    for part in (undertrained_config(context.config), census_config(context.config)):
        check_part(context, part)


EXPERIMENT = Experiment(
    name="audit",
    version=4,
    summary="A model's tokens before release: vocabulary, under-trained tokens and census in one list, with a gate.",
    config=AuditConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=inputs,
)
