"""The parameters of exp=census, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.constraints import Count, Positive, Whole
from harness.errors import FieldRejected, span
from harness.glitch.census.matching import CENSUS_TASKS, RULE_VERSION
from harness.glitch.census.rules import VerdictRule, wording_inputs
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.pool_spec import PoolSpec
from harness.tokens.pools import resolve_pools
from harness.tokens.prompts import WITH_EXAMPLES, prompt_versions
from harness.tokens.prompts.rules import BosRule, ChatRule


@dataclass(frozen=True)
class CensusConfig:
    """Parameters of `exp=census`."""

    verdict: VerdictRule = VerdictRule.AGREEMENT
    """agreement: fails every wording of repetition that counts, in two families of wordings; published: fails any of
    repetition, spelling and length, each in one wording."""
    tokens: PoolSpec | None = None
    """Ask only these: a pool's rule, a slice of ids or a list; default: the whole vocabulary."""
    n_tokens: Count | None = None
    """How many tokens, drawn without replacement by `seed`; default: every token."""
    n_sample: Count = 2000
    """So many tokens, drawn in proportion to the kinds of token, are asked in every wording (agreement)."""
    n_calibration: Count = 240
    """Each wording is tried on at most so many well-known tokens first (agreement)."""
    n_samples: Whole = 0
    """Sampled answers for each token of the sample, in the cheapest wording that counts (agreement)."""
    temperature: Positive = 1.0
    """Of the sampled answers."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    ask_all: bool = False
    """Also ask the tasks that say nothing about this model (published)."""
    batch_size: Count | None = None
    """Prompts per pass; default: from memory. Changes no verdict in float32 but for ties."""
    shard: Count = 512
    """Tokens that are kept or lost together when a run is interrupted."""


def among(spec: PoolSpec, facts: VocabFacts, seed: int, tokenizer: Tokenizer | None) -> tuple[int, ...]:
    """The ids of the field `tokens`. Raises `Rejected` naming that key."""
    return resolve_pools({"tokens": spec}, facts, seed, tokenizer)["tokens"].ids


def inputs(config: RunConfig[CensusConfig], _: ModelIdentity | None) -> Mapping[str, str]:
    """The rules and prompts that verdicts depend on: with others it is another run."""
    if config.exp.verdict is VerdictRule.PUBLISHED:
        examples = {f"{one.task.value}/examples": one.version for one in WITH_EXAMPLES.values()}
        return {"rule": RULE_VERSION, **prompt_versions(CENSUS_TASKS), **examples}
    return wording_inputs()


def check(context: CheckContext[CensusConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    if context.exp.tokens is not None:
        named = among(context.exp.tokens, context.facts, context.config.seed, context.tokenizer)
        if context.facts.special_ids.issuperset(named):
            raise FieldRejected.key("tokens", context.exp.tokens, "at least one token that is not special")
    most = context.facts.d_vocab - len(context.facts.special_ids)
    if context.exp.n_tokens is not None and context.exp.n_tokens > most:
        raise FieldRejected.key("n_tokens", context.exp.n_tokens, f"{span(1, most)}, the tokens that are not special")


EXPERIMENT = Experiment(
    name="census",
    version=3,
    summary="Every token asked for in many wordings: which are glitch tokens in whatever words, which only in some.",
    config=CensusConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=inputs,
)
