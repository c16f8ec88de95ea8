"""Verdicts written down as they come, so that an interrupted run does not prompt the model again."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from harness.glitch.detectors.oracle import MemoOracle
from harness.runs.folder import ShardStore


class KeptOracle(MemoOracle):
    """Passes queries on to `inner` and keeps each batch of verdicts, with their margins, as a shard.

    A continued run must query the same tokens in the same order; a batch that differs from the shard in its place is
    queried again. What a query costs is set by the inner oracle, the budget here.
    """

    def __init__(self, inner: MemoOracle, shards: ShardStore, budget: int | None = None, label: str = "ask") -> None:
        super().__init__(inner.queries_per_token, budget)
        self._inner, self._shards, self._label = inner, shards, label
        self._n_batches = 0

    def _answer(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        return self._once(self._label, ids, self._inner.query)

    def _settle(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        return self._once(f"{self._label}-again", ids, self._inner.settle)

    def _once(
        self, label: str, ids: Sequence[int], ask: Callable[[Sequence[int]], list[bool]]
    ) -> tuple[Sequence[bool], int]:
        """What is kept of this batch, or what `ask` says of it now."""
        key = f"{label}-{self._n_batches:05d}"
        self._n_batches += 1
        kept = self._shards.read(key)
        if kept is not None and kept.arrays["ids"].tolist() == list(ids):
            self._margins |= zip(ids, kept.arrays["margins"].tolist(), strict=True)
            return kept.arrays["fails"].astype(bool).tolist(), int(kept.arrays["tokens_processed"][0])
        before = self._inner.tokens_processed
        fails = ask(ids)
        spent = self._inner.tokens_processed - before
        # A second look leaves a token's margin as it was, which after an interruption only this memory has.
        known = {**self._inner.margins, **self._margins}
        margins = [known.get(token, math.nan) for token in ids]
        self._margins |= zip(ids, margins, strict=True)
        self._shards.write(
            key,
            {
                "ids": np.asarray(ids, dtype=np.int64),
                "fails": np.asarray(fails, dtype=np.int8),
                "margins": np.asarray(margins, dtype=np.float64),
                "tokens_processed": np.array([spent], dtype=np.int64),
            },
        )
        return fails, spent
