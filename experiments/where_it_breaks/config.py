"""The parameters of exp=where_it_breaks, and what it refuses."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Count, must_be
from harness.errors import FieldRejected, Rejected, span
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs
from harness.tokens.pools import Pool, Pools, resolve_pools

COMMON = "common"
"""The pool that partners and companions come from."""
AUTO = "auto"

Two = Annotated[int, must_be("2 or more", lambda n: n >= 2)]


@dataclass(frozen=True)
class WhereItBreaksConfig:
    """Parameters of `exp=where_it_breaks`."""

    n_tokens: Count = 48
    """Tokens of each pool, at most what it has and what there are well-known partners for."""
    n_appearances: Count = 4
    """How often each token is asked, each time among other companions."""
    seq_len: Annotated[int, must_be("4 or more", lambda n: n >= 4)] = 24
    """Tokens in one half."""
    n_own: Two = 12
    """Of these, places of tokens under study, each announced by a companion: at most half of them."""
    top_heads: Count = 2
    """So many previous-token heads and so many induction heads are patched: those with the highest scores."""
    n_layer_points: Two = 13
    """At most so many layers at which the residual stream is patched, evenly spread, both ends among them."""
    batch_size: Count | None = None
    """Sequences in one pass, four of a pair of halves together; default: up to 32, fewer where memory is short."""


def check(context: CheckContext[WhereItBreaksConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""
    facts, exp = context.facts, context.exp
    front = int(facts.bos_id is not None)
    if facts.n_ctx is not None and 2 * exp.seq_len + front > facts.n_ctx:
        where = f"two halves{' and BOS' if front else ''} within the {facts.n_ctx} tokens of the context"
        raise FieldRejected.key("seq_len", exp.seq_len, f"{span(4, (facts.n_ctx - front) // 2)} ({where})")
    if exp.n_own > exp.seq_len // 2:
        raise FieldRejected.key("n_own", exp.n_own, f"{span(2, exp.seq_len // 2)} (each after a companion)")
    for name in studied_pools(context.config):
        if not facts.without_a_job(context.pools[name].ids):
            raise Rejected(
                f"pools.{name}: got {len(context.pools[name].ids)} ids, each with a job (BOS, EOS, padding, ...), "
                "allowed: at least one other"
            )
    common_pool(context.config, context.pools, facts, context.tokenizer if context.has_tokenizer else None)


def common_pool(
    config: RunConfig[WhereItBreaksConfig],
    pools: Pools | dict[str, Pool],
    facts: VocabFacts,
    tokenizer: Tokenizer | None,
) -> Pool:
    """The well-known tokens. Raises `Rejected` where nothing tells which they are.

    Left open, it is found by itself: pools of tokens by their training counts may overlap with it.
    """
    if config.pools.get(COMMON, AUTO) != AUTO:
        found: Pool = pools[COMMON]
        return found
    return resolve_pools({COMMON: AUTO}, facts, config.seed, tokenizer)[COMMON]


def studied_pools(config: RunConfig[WhereItBreaksConfig]) -> tuple[str, ...]:
    """Pools that are compared with `common`. Raises `Rejected` where there is none."""
    names = tuple(name for name in config.pools if name != COMMON)
    if not names:
        raise Rejected(f"pools: got {', '.join(config.pools) or 'none'}, allowed: at least one besides {COMMON}")
    return names


def pools(config: RunConfig[WhereItBreaksConfig]) -> Collection[str]:
    """Those that are studied, and `common` where it is not left open: that is found beside them."""
    return studied_pools(config) + (() if config.pools.get(COMMON, AUTO) == AUTO else (COMMON,))


EXPERIMENT = Experiment(
    name="where_it_breaks",
    version=2,
    summary="Where copying of unused tokens breaks: reading them, moving what was read, or writing it.",
    config=WhereItBreaksConfig,
    needs=frozenset({Needs.MODEL, Needs.POOLS}),
    pools=pools,
    check=check,
)
