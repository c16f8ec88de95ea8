"""Random sequences that occur twice, `[BOS?] half half`, and what they are compared with; built from ids.

Sequences come in pairs. A pair draws two disjoint sets A and B of a pool's tokens; its first sequence repeats a half
made of A, its second one made of B, and each is the other's control: the same second half after the other's first. The
tokens that a model can't tell apart (`units`) count as one: a pair never holds two of them.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

Unit = tuple[int, ...]
"""Ids that a model can't tell apart; most hold a single one."""


@dataclass(frozen=True)
class RepeatedTokens:
    """Sequences of one pool, one a row."""

    tokens: Int[np.ndarray, "sequence pos"]
    """[BOS?] half half."""
    control: Int[np.ndarray, "sequence pos"] | None
    """[BOS?] other half: the same second half after an equally long half of other tokens. None where none was drawn."""
    shuffled: Int[np.ndarray, "sequence pos"] | None
    """[BOS?] shuffled half: the same second half after its own tokens in an order that keeps no two neighbours."""
    own: Bool[np.ndarray, "sequence index"]
    """Which tokens of a half are the pool's; the others keep them company."""
    pair: Int[np.ndarray, " sequence"]
    """Sequences with the same number were drawn together."""
    has_bos: bool

    @property
    def seq_len(self) -> int:
        """Length of a half."""
        return self.own.shape[1]

    @property
    def first_query(self) -> int:
        """Position of the second half's first token."""
        return self.seq_len + int(self.has_bos)

    @property
    def halves(self) -> Int[np.ndarray, "sequence index"]:
        """Token ids of one half."""
        return self.tokens[:, self.first_query :]


def draw_pairs(
    units: Sequence[Unit],
    n_own: int,
    companions: Sequence[int],
    seq_len: int,
    n_sequences: int,
    seed: int,
    name: str,
    bos_id: int | None,
) -> RepeatedTokens:
    """`n_sequences` halves of `n_own` of a pool's units and `seq_len - n_own` companions, each twice, with controls.

    Without replacement: a pair holds 2 `n_own` different units and as many different companions as it needs, none of
    them its own. Units take turns, so that each occurs about equally often. Sequence i of a name, a seed and these
    units is the same whatever `n_sequences` is. Raises `ValueError` for too few units or companions.
    """
    n_companions = seq_len - n_own
    if not 1 <= n_own <= seq_len or seq_len < 2 or n_sequences < 1:
        raise ValueError(f"{n_sequences} sequences of {seq_len} tokens, {n_own} of them the pool's")
    if len(units) < 2 * n_own:
        raise ValueError(f"{len(units)} units are fewer than the {2 * n_own} of a pair")
    rows: list[_Sequence] = []
    for pair in range(-(-n_sequences // 2)):
        rng = _rng(seed, name, 1, pair)
        chosen = [int(rng.choice(unit)) for unit in _turn(units, 2 * n_own, pair, seed, name)]
        members = {token for unit in units if set(unit) & set(chosen) for token in unit}
        free = np.array([token for token in companions if token not in members], dtype=np.int64)
        if len(free) < 2 * n_companions:
            raise ValueError(f"{len(free)} companions are fewer than the {2 * n_companions} of a pair")
        company = rng.choice(free, size=2 * n_companions, replace=False)
        own = np.zeros(seq_len, dtype=bool)
        own[rng.choice(seq_len, size=n_own, replace=False)] = True
        halves = [
            _filled(own, chosen[side * n_own : (side + 1) * n_own], company[side * n_companions :][:n_companions])
            for side in (0, 1)
        ]
        rows += [_Sequence(halves[i], halves[1 - i], _shuffled(halves[i], rng), own, pair) for i in (0, 1)]
    return _stacked(rows[:n_sequences], bos_id)


def draw_with_replacement(
    ids: Sequence[int], n_distinct: int, seq_len: int, n_sequences: int, seed: int, name: str, bos_id: int | None
) -> RepeatedTokens:
    """`n_sequences` halves of `seq_len` ids drawn with replacement, each twice, as the literature draws them.

    Every sequence draws from its own sample of `n_distinct` of the pool's ids. There are no controls: with so few ids
    no second half goes without tokens of the first. Raises `ValueError` for lengths below 1 or too few ids.
    """
    if seq_len < 1 or n_sequences < 1 or not 1 <= n_distinct <= len(ids):
        raise ValueError(f"{n_sequences} sequences of {seq_len} tokens, {n_distinct} of {len(ids)} ids in each")
    halves = []
    for index in range(n_sequences):
        rng = _rng(seed, name, 2, index)
        sample = rng.choice(np.asarray(ids, dtype=np.int64), size=n_distinct, replace=False)
        halves.append(rng.choice(sample, size=seq_len, replace=True))
    half = np.stack(halves)
    own = np.ones((n_sequences, seq_len), dtype=bool)
    return RepeatedTokens(
        _joined(half, half, bos_id), None, None, own, np.arange(n_sequences, dtype=np.int64), bos_id is not None
    )


@dataclass(frozen=True)
class _Sequence:
    half: Int[np.ndarray, " index"]
    other: Int[np.ndarray, " index"]
    shuffled: Int[np.ndarray, " index"]
    own: Bool[np.ndarray, " index"]
    pair: int


def _turn(units: Sequence[Unit], size: int, pair: int, seed: int, name: str) -> list[Unit]:
    """Whose turn it is: `size` units from a random order that a fresh one follows when too few are left."""
    per_order = len(units) // size
    order = _rng(seed, name, 0, pair // per_order).permutation(len(units))
    start = pair % per_order * size
    return [units[i] for i in order[start : start + size]]


def _filled(
    own: Bool[np.ndarray, " index"], tokens: Sequence[int], company: Int[np.ndarray, " companion"]
) -> Int[np.ndarray, " index"]:
    half = np.empty(len(own), dtype=np.int64)
    half[own], half[~own] = tokens, company
    return half


def _shuffled(half: Int[np.ndarray, " index"], rng: np.random.Generator) -> Int[np.ndarray, " index"]:
    """Another order in which no token is followed by the one that follows it here, as far as there is one."""
    for _ in range(1_000):
        order = rng.permutation(len(half))
        if not (np.diff(order) == 1).any():
            return half[order]
    raise AssertionError(f"no such order of {len(half)} tokens was found")


def _stacked(rows: Sequence[_Sequence], bos_id: int | None) -> RepeatedTokens:
    half, other, shuffled = (np.stack([getattr(row, part) for row in rows]) for part in ("half", "other", "shuffled"))
    return RepeatedTokens(
        _joined(half, half, bos_id),
        _joined(other, half, bos_id),
        _joined(shuffled, half, bos_id),
        np.stack([row.own for row in rows]),
        np.array([row.pair for row in rows], dtype=np.int64),
        bos_id is not None,
    )


def _joined(
    first: Int[np.ndarray, "sequence index"], second: Int[np.ndarray, "sequence index"], bos_id: int | None
) -> Int[np.ndarray, "sequence pos"]:
    front = [] if bos_id is None else [np.full((len(first), 1), bos_id, dtype=np.int64)]
    return np.concatenate([*front, first, second], axis=1)


def _rng(seed: int, name: str, purpose: int, index: int) -> np.random.Generator:
    # crc32 and not hash(): the latter changes from one process to the next.
    return np.random.default_rng([seed, zlib.crc32(name.encode()), purpose, index])
