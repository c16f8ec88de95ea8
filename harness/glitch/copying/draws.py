"""Which tokens stand where: pairs of halves in which every token under study follows a well-known companion.

A pair is two halves A and B without a token in common; [A A] is compared with [B A], [B B] with [A B]
(`harness.tokens.repeats`). Tokens that the model can't tell apart never meet in a pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

BLOCK_PAIRS = 40
"""Pairs that one round of a block fills; a token's neighbours come from its block, so they don't change when more
tokens are asked."""


@dataclass(frozen=True, eq=False)
class Material:
    """What halves are made of."""

    unit_of: Int[np.ndarray, " d_vocab"]
    """For each id the lowest one that the model can't tell from it when it is read."""
    companions: Int[np.ndarray, " companion"]
    """Well-known ids, one of every unit."""
    bystanders: Int[np.ndarray, " bystander"]
    """Ids of the vocabulary that may take places of tokens under study where few are asked."""

    def without(self, ids: Sequence[int]) -> "Material":
        """The same, none of these among the bystanders."""
        return Material(self.unit_of, self.companions, self.bystanders[~np.isin(self.bystanders, list(ids))])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Halves of one round; rows 2i and 2i + 1 are the two of a pair."""

    halves: Int[np.ndarray, "half index"]
    places: Int[np.ndarray, " place"]
    """Where tokens under study stand, the same in all halves; never 0."""
    asked: Bool[np.ndarray, "half place"]
    """Whether the token there is asked: what fills a place that is left over is not."""

    @property
    def targets(self) -> Int[np.ndarray, "half place"]:
        """The ids at the places."""
        found: np.ndarray = self.halves[:, self.places]
        return found


def draw_round(
    material: Material, ids: Sequence[int], n_asked: int, n_own: int, seq_len: int, rng: np.random.Generator
) -> Pairs:
    """Halves in which every one of `ids` occurs once, at most `n_asked` of them in a half.

    Of a half's `seq_len` tokens `n_own` are under study; where fewer than that are asked in it, bystanders take up to
    `n_own - n_asked` places and companions the rest. Raises `ValueError` for too few companions.
    """
    places = draw_places(n_own, seq_len, rng)
    groups = deal(rng.permutation(np.asarray(ids, dtype=np.int64)), material.unit_of, 2 * n_asked)
    halves, asked = [], []
    for group in groups:
        for half, is_asked in _pair(material, rng.permutation(group), n_own - n_asked, places, seq_len, rng):
            halves.append(half)
            asked.append(is_asked)
    return Pairs(np.stack(halves), places, np.stack(asked))


def draw_places(n_own: int, seq_len: int, rng: np.random.Generator) -> Int[np.ndarray, " place"]:
    """`n_own` places of 1 to seq_len - 1, ascending; as far as there is room, no two of them next to each other.

    A token is announced by the one before it: where that is a companion, no badly trained neighbour stands between.
    """
    if n_own > seq_len // 2:
        return np.sort(rng.choice(np.arange(1, seq_len), size=n_own, replace=False))
    spread = np.sort(rng.choice(seq_len - n_own, size=n_own, replace=False))
    return spread + np.arange(1, n_own + 1)


def deal(
    ids: Int[np.ndarray, " token"], unit_of: Int[np.ndarray, " d_vocab"], capacity: int
) -> list[Int[np.ndarray, " member"]]:
    """Groups of at most `capacity` ids, equally large up to one, none with two ids of one unit; as few as can be."""
    _, inverse, counts = np.unique(unit_of[ids], return_inverse=True, return_counts=True)
    n_groups = max(-(-len(ids) // capacity), int(counts.max(initial=1)))
    # Those of one unit in a row, dealt out in turn: they come to different groups. Others keep their random order.
    is_shared = counts[inverse] > 1
    shared = ids[is_shared][np.argsort(inverse[is_shared], kind="stable")]
    order = np.concatenate([shared, ids[~is_shared]])
    return [order[number::n_groups] for number in range(min(n_groups, len(ids)))]


def _pair(
    material: Material,
    members: Int[np.ndarray, " member"],
    n_bystanders: int,
    places: Int[np.ndarray, " place"],
    seq_len: int,
    rng: np.random.Generator,
) -> list[tuple[Int[np.ndarray, " index"], Bool[np.ndarray, " place"]]]:
    """Both halves of a pair, and which of their places hold a token that is asked."""
    taken = set(material.unit_of[members].tolist())
    extra = _others(material, material.bystanders, 2 * n_bystanders, taken, rng)
    built = []
    for side in (0, 1):
        own = members[side::2]
        filled = np.concatenate([own, extra[side::2]])
        slots = rng.permutation(len(places))[: len(filled)]
        asked = np.zeros(len(places), dtype=bool)
        asked[slots[: len(own)]] = True
        half = np.full(seq_len, -1, dtype=np.int64)
        half[places[slots]] = filled
        built.append((half, asked))
    n_free = sum(int((half < 0).sum()) for half, _ in built)
    company = _others(material, material.companions, n_free, taken, rng)
    if len(company) < n_free:
        raise ValueError(f"{len(company)} companions are fewer than the {n_free} of a pair")
    for half, _ in built:
        n = int((half < 0).sum())
        half[half < 0], company = company[:n], company[n:]
    return built


def _others(
    material: Material, pool: Int[np.ndarray, " pool"], n: int, taken: set[int], rng: np.random.Generator
) -> Int[np.ndarray, " chosen"]:
    """At most `n` ids of a pool, no two of one unit and none of a unit in `taken`, which grows by theirs."""
    if n == 0 or len(pool) == 0:
        return np.zeros(0, dtype=np.int64)
    chosen = []
    # More than needed, since some may be taken.
    drawn = rng.choice(pool, size=min(len(pool), 2 * n + len(taken)), replace=False)
    for token in drawn.tolist():
        unit = int(material.unit_of[token])
        if unit not in taken:
            taken.add(unit)
            chosen.append(token)
            if len(chosen) == n:
                break
    return np.asarray(chosen, dtype=np.int64)
