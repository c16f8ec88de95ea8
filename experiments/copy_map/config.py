"""The parameters of exp=copy_map, and what it refuses."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from harness.constraints import Count, Share, Whole, must_be
from harness.errors import FieldRejected, Rejected
from harness.glitch.census.stored import fingerprint, load_census
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs

COMMON = "common"
"""The pool that companions and the calibration come from."""
AUTO = "auto"


def _are_thresholds(values: tuple[float, ...]) -> bool:
    return len(set(values)) == len(values) and all(value < 0 for value in values)


@dataclass(frozen=True)
class CopyMapConfig:
    """Parameters of `exp=copy_map`."""

    seq_len: Annotated[int, must_be("2 or more (no token under study stands first in a half)", lambda n: n >= 2)] = 24
    """Tokens in one half."""
    own_share: Share = 0.5
    """Of a half's tokens, this share are under study, the rest well-known companions."""
    n_appearances: Count = 3
    """How often each token is asked, each time among others; missed in more than half of them, it is not copied."""
    n_tokens: Count | None = None
    """How many tokens, drawn without replacement by `seed`; default: every token."""
    thresholds: Annotated[tuple[float, ...], must_be("log-probs below 0, each once", _are_thresholds)] = (
        -3.0,
        -5.0,
        -8.0,
    )
    """Mean log-probs (nats) below which tokens are counted as well."""
    n_worst: Whole = 300
    """So many tokens with the lowest log-probs are asked again in fresh draws; 0: none."""
    n_appearances_worst: Annotated[int, must_be("2 or more (one appearance has no interval)", lambda n: n >= 2)] = 12
    """How often each of these is asked then."""
    n_calibration: Count = 240
    """At most so many well-known tokens show first whether the model copies at all."""
    census: Path | None = None
    """Folder of a finished census of this model, to compare verdicts with; default: no comparison."""
    batch_size: Annotated[int, must_be("2 or more, even", lambda n: n >= 2 and n % 2 == 0)] | None = None
    """Halves in one pass, both of a pair together; default: up to 80, fewer where memory is short."""


def threshold_key(threshold: float) -> str:
    """The metric that counts tokens below a log-prob: `below_3` for -3 nats."""
    return f"below_{-threshold:g}"


def n_own_of(exp: CopyMapConfig) -> int:
    """Places of a half for tokens under study: never the first one, which nothing announces."""
    return min(max(1, int(exp.own_share * exp.seq_len)), exp.seq_len - 1)


def check(context: CheckContext[CopyMapConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""
    require_plain_weights(context.config.model)
    facts, exp = context.facts, context.exp
    front = int(facts.bos_id is not None)
    if facts.n_ctx is not None and 2 * exp.seq_len + front > facts.n_ctx:
        longest = (facts.n_ctx - front) // 2
        if longest < 2:
            raise Rejected(f"model.n_ctx: got a window of {facts.n_ctx} tokens, allowed: at least {4 + front}")
        where = f"two halves{' and BOS' if front else ''} within the {facts.n_ctx} tokens of the context"
        raise FieldRejected.key("seq_len", exp.seq_len, f"2 to {longest} ({where})")
    most = len(facts.without_a_job(range(facts.d_vocab)))
    if exp.n_tokens is not None and exp.n_tokens > most:
        raise FieldRejected.key("n_tokens", exp.n_tokens, f"1 to {most}, the tokens without a job (BOS, EOS, ...)")


def pools(config: RunConfig[CopyMapConfig]) -> Collection[str]:
    """The pool `common`, unless it is left open: then a model without any such tokens does without it."""
    return () if config.pools.get(COMMON, AUTO) == AUTO else (COMMON,)


def inputs(config: RunConfig[CopyMapConfig], identity: ModelIdentity | None) -> Mapping[str, str]:
    """The census that is compared with: with another one it is another run."""
    if config.exp.census is None or identity is None:
        return {}
    return {"census": fingerprint(load_census(config.exp.census, identity))}


EXPERIMENT = Experiment(
    name="copy_map",
    version=3,
    summary="Every token of the vocabulary in random sequences seen twice: which tokens are not copied.",
    config=CopyMapConfig,
    needs=frozenset({Needs.MODEL, Needs.POOLS}),
    pools=pools,
    check=check,
    inputs=inputs,
)
