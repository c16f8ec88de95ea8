"""Which tokens of every pool are repeated, and which sequences of different tokens stand beside them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from experiments.repeat_one_token.config import RepeatOneTokenConfig, length_of
from harness.glitch.copying.coinciding import Coinciding, units_of
from harness.runs.context import Run

FEWEST_PLACES = 2
"""Of a control: the token and another one after it."""


@dataclass(frozen=True, eq=False)
class PoolTokens:
    """The tokens of one pool."""

    name: str
    ids: Int[np.ndarray, " token"]
    """Those repeated, ascending; no two that the model can't tell apart."""
    control: Int[np.ndarray, "token place"] | None
    """For each of them a sequence of different tokens of its pool that begins with it, BOS left out; None where the
    smallest pool is a single token."""
    n_usable: int
    """Ids of the pool without those that have a job."""
    n_told_apart: int


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    pools: tuple[PoolTokens, ...]
    bos_id: int | None
    n_repetitions: int
    """Copies in a sequence."""

    @property
    def first(self) -> int:
        """Position of the first copy."""
        return int(self.bos_id is not None)

    @property
    def n_places(self) -> int:
        """Tokens in a control; 0 where there is none."""
        control = self.pools[0].control
        return 0 if control is None else control.shape[1]


def plan(run: Run[RepeatOneTokenConfig], coinciding: Coinciding) -> Plan:
    """As many tokens of every pool, by `seed`; of tokens that the model can't tell apart the one with the lowest id."""
    bos_id = run.facts.bos_id
    n_repetitions = length_of(run.exp, run.facts.n_ctx) - int(bos_id is not None)
    usable = {name: run.facts.without_a_job(pool.ids) for name, pool in run.pools.items()}
    different = {name: _one_of_each(ids, coinciding.seen) for name, ids in usable.items()}
    fewest = min(map(len, different.values()))
    n_tokens, n_places = min(run.exp.n_tokens, fewest), min(n_repetitions, fewest)
    pools = []
    for name, ids in different.items():
        rng = np.random.default_rng([run.seed, zlib.crc32(name.encode())])
        chosen = np.sort(rng.choice(ids, size=n_tokens, replace=False))
        control = (
            None
            if n_places < FEWEST_PLACES
            else np.stack([_after(token, ids, n_places, rng) for token in chosen.tolist()])
        )
        pools.append(PoolTokens(name, chosen, control, len(usable[name]), len(ids)))
    return Plan(tuple(pools), bos_id, n_repetitions)


def _one_of_each(ids: tuple[int, ...], coinciding: Mapping[int, tuple[int, ...]]) -> Int[np.ndarray, " unit"]:
    return np.array([unit[0] for unit in units_of(ids, coinciding)], dtype=np.int64)


def _after(
    token: int, ids: Int[np.ndarray, " unit"], n_places: int, rng: np.random.Generator
) -> Int[np.ndarray, " place"]:
    others = rng.choice(ids[ids != token], size=n_places - 1, replace=False)
    return np.concatenate([[token], others]).astype(np.int64)
