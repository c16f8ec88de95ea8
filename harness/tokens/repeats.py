"""Random sequences that occur twice: `[BOS?] half half`, built from ids."""

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from harness.tokens.pools import Pool


@dataclass(frozen=True)
class RepeatedTokens:
    """Sequences of one pool, one a row."""

    tokens: Int[np.ndarray, "batch pos"]
    seq_len: int
    """Length of a half."""
    has_bos: bool
    with_replacement: bool
    """Whether an id can occur twice within a half."""

    @property
    def first_query(self) -> int:
        """Position of the second half's first token."""
        return self.seq_len + int(self.has_bos)


def draw_repeated(pool: Pool, seq_len: int, n_sequences: int, seed: int, bos_id: int | None) -> RepeatedTokens:
    """`n_sequences` halves of `seq_len` ids drawn uniformly from the pool, each twice, after BOS where there is one.

    Without replacement within a half where the pool has at least `seq_len` ids, else with. Sequence i of a pool's name
    and a seed is the same whatever `n_sequences` and the other pools are. Raises `ValueError` for lengths below 1.
    """
    if seq_len < 1 or n_sequences < 1:
        raise ValueError(f"{n_sequences} sequences of {seq_len} tokens")
    ids = np.asarray(pool.ids, dtype=np.int64)
    with_replacement = len(ids) < seq_len
    halves = np.stack(
        [
            _rng(seed, pool.name, index).choice(ids, size=seq_len, replace=with_replacement)
            for index in range(n_sequences)
        ]
    )
    front = [] if bos_id is None else [np.full((n_sequences, 1), bos_id, dtype=np.int64)]
    tokens = np.concatenate([*front, halves, halves], axis=1)
    return RepeatedTokens(tokens, seq_len, bos_id is not None, with_replacement)


def _rng(seed: int, pool: str, index: int) -> np.random.Generator:
    # crc32 and not hash(): the latter changes from one process to the next.
    return np.random.default_rng([seed, zlib.crc32(pool.encode()), index])
