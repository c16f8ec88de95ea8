"""Rows of random tokens that come again: what teaches a model to copy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

MIN_HALF = 4
DRILL_HALF = (6, 16)
SHORT_HALF = (8, 40)
SHORT_SHARE = 0.5
BOS_SHARE = 0.75
COPIES = (2, 3, 4)
COPIES_SHARE = (0.85, 0.1, 0.05)


@dataclass(frozen=True)
class _Sequence:
    """`half` random tokens, `copies` times in a row, from position `at` of row `row` on."""

    row: int
    at: int
    half: int
    copies: int


def build_repeat_rows(
    n_rows: int,
    context: int,
    bos: int,
    weights: Float[np.ndarray, " d_vocab"],
    quotas: Mapping[int, int],
    seed: int,
) -> Int[np.ndarray, "batch pos"]:
    """Rows filled with repeated random sequences, in which each planted id occurs exactly `quotas[id]` times.

    Tokens are drawn with probability proportional to `weights` (zero for planted ids). Half of the sequences are 8 to
    40 tokens long, the others run from a few tokens to half the context; three in four have BOS in front. Planted ids
    stand in sequences of two copies, so their quotas are even. `seed` varies lengths, tokens and places.
    """
    rng = np.random.default_rng([seed, 20])
    rows = np.full((n_rows, context), bos, dtype=np.int16)
    sequences = [sequence for row in range(n_rows) for sequence in _lay_out(row, context, rng)]
    halves = np.asarray([sequence.half for sequence in sequences], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(halves)])
    tokens = rng.choice(len(weights), size=int(starts[-1]), p=weights / weights.sum()).astype(np.int16)
    _place(tokens, starts, sequences, quotas, rng)
    for sequence, start in zip(sequences, starts, strict=False):
        half = tokens[start : start + sequence.half]
        rows[sequence.row, sequence.at : sequence.at + sequence.half * sequence.copies] = np.tile(half, sequence.copies)
    return rows


def build_drill_rows(
    n_rows: int, context: int, piece: int, bos: int, pool: Sequence[int], seed: int
) -> Int[np.ndarray, "batch pos"]:
    """Rows for the start of training: every `piece` tokens one short sequence of `pool`, again and again.

    Copying is learnt from these in hundreds of steps; from two copies of long sequences it had not begun after a
    thousand. Three pieces in four have BOS in front. `seed` varies lengths and tokens.
    """
    rng = np.random.default_rng([seed, 21])
    pieces = np.full((n_rows * (context // piece), piece), bos, dtype=np.int16)
    for row in pieces:
        half = rng.choice(pool, size=int(rng.integers(DRILL_HALF[0], DRILL_HALF[1] + 1)))
        at = int(rng.random() < BOS_SHARE)
        row[at:] = np.resize(half, piece - at)
    return pieces.reshape(n_rows, context)


def _lay_out(row: int, context: int, rng: np.random.Generator) -> list[_Sequence]:
    sequences, at = [], 0
    while at < context:
        at += int(rng.random() < BOS_SHARE)
        left = context - at
        if left <= 2 * MIN_HALF:
            # What is left is filled exactly; an odd position becomes one more BOS.
            at += left % 2
            if left >= 2:
                sequences.append(_Sequence(row, at, left // 2, 2))
            break
        half = min(_draw_half(context, rng), left // 2)
        copies = min(int(rng.choice(COPIES, p=COPIES_SHARE)), left // half)
        sequences.append(_Sequence(row, at, half, copies))
        at += half * copies
    return sequences


def _draw_half(context: int, rng: np.random.Generator) -> int:
    if rng.random() < SHORT_SHARE:
        return int(rng.integers(SHORT_HALF[0], SHORT_HALF[1] + 1))
    longest = (context - 1) // 2
    return int(np.exp(rng.uniform(np.log(MIN_HALF), np.log(longest + 1))))


def _place(
    tokens: np.ndarray,
    starts: np.ndarray,
    sequences: list[_Sequence],
    quotas: Mapping[int, int],
    rng: np.random.Generator,
) -> None:
    deck = np.repeat(
        np.asarray(list(quotas), dtype=np.int64), np.asarray([quota // 2 for quota in quotas.values()], dtype=np.int64)
    )
    if any(quota % 2 for quota in quotas.values()):
        raise ValueError(f"quotas: got {dict(quotas)}, allowed: even counts")
    doubles = [np.arange(starts[k], starts[k + 1]) for k, sequence in enumerate(sequences) if sequence.copies == 2]
    slots = np.concatenate(doubles) if doubles else np.empty(0, dtype=np.int64)
    if len(deck) > len(slots):
        raise ValueError(f"doses: {len(deck)} pairs for {len(slots)} places, allowed: smaller doses or more steps")
    tokens[rng.choice(slots, size=len(deck), replace=False)] = deck
