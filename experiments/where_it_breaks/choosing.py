"""Which tokens are studied, who their partners are, and in which sequences they stand."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from experiments.where_it_breaks.config import COMMON, WhereItBreaksConfig, common_pool, studied_pools
from harness.errors import Rejected
from harness.glitch.copying.draws import Material, Pairs, draw_round
from harness.glitch.copying.material import Units, needed_company
from harness.models.embedding_rows import EmbeddingRows
from harness.runs.context import Run
from harness.tokens.pools import Pool

_FEW = 8
"""With fewer tokens under study than this it is better to take companions from anywhere."""
_ALONE, _MIXED = 1, 2
"""Draws of their own for each kind of sequence."""


@dataclass(frozen=True, eq=False)
class Studied:
    """The tokens of one pool, and what stands beside them."""

    name: str
    ids: Int[np.ndarray, " token"]
    """Ascending; no two that the model can't tell apart."""
    partners: Int[np.ndarray, " token"]
    """A well-known token for each."""
    others: Int[np.ndarray, " token"]
    """Another one for each, which is to the partner what the partner is to the token: the control."""
    pool: Int[np.ndarray, " member"]
    """Every id of the pool without a job: what its mean row is over."""
    common: Int[np.ndarray, " well_known"]
    """Every well-known id that is not the pool's."""
    material: Material
    n_told_apart: int
    companions_from: str


@dataclass(frozen=True, eq=False)
class Plan:
    """What is measured."""

    pools: tuple[Studied, ...]
    bos_id: int | None
    seq_len: int
    n_own: int
    n_appearances: int
    seed: int
    common: Pool
    """Where partners come from."""

    @property
    def first(self) -> int:
        """Position of the first half's first token."""
        return int(self.bos_id is not None)

    @property
    def n_pos(self) -> int:
        """Positions of a sequence."""
        return self.first + 2 * self.seq_len

    def draw(self, studied: Studied, appearance: int) -> Pairs:
        """Halves with every token under study once, each after a companion."""
        rng = np.random.default_rng([self.seed, zlib.crc32(studied.name.encode()), _ALONE, appearance])
        return draw_round(studied.material, studied.ids.tolist(), self.n_own, self.n_own, self.seq_len, rng)

    def draw_mixed(self, studied: Studied, appearance: int) -> list[Pairs]:
        """Halves with (nearly) every token under study once, each after another one; none for a single token.

        Cues of one group are the tokens of the next, so that no token is cue and target in one pair.
        """
        n_places = self.n_own // 2
        groups_wanted = max(2, -(-len(studied.ids) // (2 * n_places)))
        if len(studied.ids) < 2:
            return []
        rng = np.random.default_rng([self.seed, zlib.crc32(studied.name.encode()), _MIXED, appearance])
        order = rng.permutation(studied.ids)
        groups = [order[number::groups_wanted] for number in range(groups_wanted)]
        found = []
        for number, group in enumerate(groups):
            pairs = draw_round(studied.material, group.tolist(), n_places, n_places, self.seq_len, rng)
            found.append(_cued(pairs, groups[(number + 1) % len(groups)]))
        return found


def _cued(pairs: Pairs, cues: Int[np.ndarray, " token"]) -> Pairs:
    """The same halves, the companion before each target replaced by a cue while there are any; others aren't asked."""
    halves, asked = pairs.halves.copy(), np.zeros_like(pairs.asked)
    for (row, place), cue in zip(np.argwhere(pairs.asked), cues.tolist(), strict=False):
        halves[row, pairs.places[place] - 1] = cue
        asked[row, place] = True
    return Pairs(halves, pairs.places, asked)


def plan(run: Run[WhereItBreaksConfig], rows: EmbeddingRows) -> Plan:
    """Choose tokens and partners by `seed`. Raises `Rejected` where there are too few well-known tokens."""
    n_rows = min(run.facts.d_vocab, len(rows.embedding), len(rows.unembedding))
    read = Units.of(rows.embedding[:n_rows]).lowest
    said = read if rows.is_tied else Units.of(rows.unembedding[:n_rows]).lowest
    common = common_pool(run.config, run.pools, run.facts, run.tokenizer if run.has_tokenizer else None)
    pools = tuple(_studied(run, name, common, read, said) for name in studied_pools(run.config))
    exp = run.exp
    return Plan(pools, run.facts.bos_id, exp.seq_len, exp.n_own, exp.n_appearances, run.seed, common)


def _studied(
    run: Run[WhereItBreaksConfig],
    name: str,
    common: Pool,
    read: Int[np.ndarray, " d_vocab"],
    said: Int[np.ndarray, " d_vocab"],
) -> Studied:
    exp, n_rows = run.exp, len(read)
    rng = np.random.default_rng([run.seed, zlib.crc32(name.encode())])
    members = [token for token in run.facts.without_a_job(run.pools[name].ids) if token < n_rows]
    own = rng.permutation(_one_of_each(members, read))
    free = ~(np.isin(read, read[members]) | np.isin(said, said[members]))
    well_known = [token for token in run.facts.without_a_job(common.ids) if token < n_rows and free[token]]
    candidates = rng.permutation(_one_of_each(_one_of_each(well_known, read), said))
    needed = needed_company(exp.seq_len, exp.n_own)
    n = min(exp.n_tokens, len(own))
    spare = (len(candidates) - needed) // 2
    source = "well-known tokens"
    if min(n, _FEW) <= spare:
        n = min(n, spare)
        company = candidates[2 * n :]
    else:
        n = min(n, len(candidates) // 2)
        free &= ~np.isin(read, read[candidates[: 2 * n]])
        anyone = [int(token) for token in run.facts.without_a_job(range(n_rows)) if free[token]]
        company, source = np.array(_one_of_each(anyone, read)), "tokens of the whole vocabulary"
    if n < 1:
        raise Rejected(
            f"pools.{COMMON}: got {len(candidates)} well-known tokens that the model can tell from those of pool "
            f"{name}, allowed: 2 or more, a partner and another one for each token under study"
        )
    if len(company) < needed:
        raise Rejected(
            f"exp.seq_len: got {exp.seq_len}: a pair of halves takes up to {needed} companions, and there are "
            f"{len(company)} tokens that the model can tell from one another and from those of pool {name}, allowed: "
            "shorter halves"
        )
    ids = np.sort(own[:n])
    nobody = np.zeros(0, dtype=np.int64)
    return Studied(
        name,
        ids,
        candidates[:n],
        candidates[n : 2 * n],
        np.array(members, dtype=np.int64),
        np.array(well_known, dtype=np.int64),
        Material(read, company.astype(np.int64), nobody),
        len(own),
        source,
    )


def _one_of_each(ids: Sequence[int], unit_of: Int[np.ndarray, " d_vocab"]) -> list[int]:
    """The first of each unit, in their order."""
    return list({int(unit_of[token]): token for token in reversed(ids)}.values())[::-1]


def replaced(
    halves: Int[np.ndarray, "half index"], old: Int[np.ndarray, " token"], new: Int[np.ndarray, " token"]
) -> Int[np.ndarray, "half index"]:
    """The same halves with every one of `old` (ascending) replaced by the token of `new` in its place."""
    at = np.searchsorted(old, halves).clip(max=len(old) - 1)
    found: np.ndarray = np.where(old[at] == halves, new[at], halves)
    return found
