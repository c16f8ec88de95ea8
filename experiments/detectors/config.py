"""What exp=detectors is asked, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Rejected
from harness.glitch.census.stored import census_inputs
from harness.glitch.detectors import roster
from harness.glitch.indicators import known_unused_ids
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs
from harness.tokens.prompts.rules import BosRule, ChatRule


@dataclass(frozen=True)
@roster.with_settings
class DetectorsConfig:
    """Parameters of `exp=detectors`; those of one detector are below its name."""

    detectors: tuple[str, ...] = roster.names()
    """Which are compared."""
    budget_share: float = 0.1
    """Queries each may spend, as a share of what the whole census costs."""
    n_seeds: int = 5
    """Times each is run, with detector seeds 0, 1, ... (from the run's seed on)."""
    census: Path | None = None
    """Folder of a finished census; default: the newest complete one of this model below results_dir, else its own."""
    unused_ids: tuple[int, ...] = ()
    """Ids known to be unused, for the indicators; default: from the tokenizer."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory."""

    def __post_init__(self) -> None:
        known = roster.names()
        unknown = [name for name in self.detectors if name not in known]
        if unknown or not self.detectors or len(set(self.detectors)) < len(self.detectors):
            raise Rejected.key("exp.detectors", list(self.detectors), f"one or more of {', '.join(known)}, each once")
        if not 0 < self.budget_share <= 1:
            raise Rejected.key("exp.budget_share", self.budget_share, "a share above 0, at most 1")
        if self.n_seeds < 1:
            raise Rejected.key("exp.n_seeds", self.n_seeds, "1 or more")
        if self.batch_size is not None and self.batch_size < 1:
            raise Rejected.key("exp.batch_size", self.batch_size, "1 or more")


def check(context: CheckContext[DetectorsConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    if context.exp.unused_ids:
        known_unused_ids(context.facts, context.exp.unused_ids)


def inputs(config: RunConfig[DetectorsConfig], identity: ModelIdentity | None) -> Mapping[str, str]:
    """The census that is taken for the truth: with another one it is another run."""

    return census_inputs(config.exp.census, config.results_dir, identity)


EXPERIMENT = Experiment(
    name="detectors",
    version=2,
    summary="Every published detector of glitch tokens and our own, on one census, with one budget of queries.",
    config=DetectorsConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=inputs,
)
