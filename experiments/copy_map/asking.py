"""Asking tokens: round after round through the model, a block of tokens at a time, resumable."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.copy_map.config import CopyMapConfig, n_own_of
from harness.glitch.copying.draws import BLOCK_PAIRS, Material, draw_round
from harness.glitch.copying.reading import CopyReader
from harness.models.answers.causal_model import CausalModel
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Run

_SHARE_OF_WORST = 4
"""The worst tokens take one in so many of the places under study: among each other they'd be other company than they
were found in."""


_MEASURED = ("logprob", "control", "rank", "logit_diff")
"""Of each appearance."""


class Stage(IntEnum):
    """What tokens are asked for; each has draws of its own."""

    CALIBRATION = 1
    TOKENS = 2
    WORST = 3


@dataclass(frozen=True, eq=False)
class Asked:
    """What came of asking some tokens, each as often."""

    ids: Int[np.ndarray, " token"]
    logprob: Float[np.ndarray, "token appearance"]
    """Nats, at its second occurrence after its own first half."""
    control: Float[np.ndarray, "token appearance"]
    """The same place after the other half of its pair."""
    rank: Int[np.ndarray, "token appearance"]
    logit_diff: Float[np.ndarray, "token appearance"]
    """Nats by which it is likelier than its foil: the token at the same place of the pair's other half, which did not
    occur. About 0 where the model knows what kind of token comes but not which."""

    @cached_property
    def effect(self) -> Float[np.ndarray, "token appearance"]:
        """Nats gained by the first occurrence."""
        found: np.ndarray = self.logprob - self.control
        return found

    @cached_property
    def missed(self) -> Int[np.ndarray, " token"]:
        """Appearances in which it is not the only likeliest token."""
        found: np.ndarray = (self.rank > 1).sum(axis=1)
        return found

    @cached_property
    def not_copied(self) -> Bool[np.ndarray, " token"]:
        """Missed in more than half of its appearances."""
        found: np.ndarray = 2 * self.missed > self.rank.shape[1]
        return found

    def at(self, rows: Sequence[int]) -> "Asked":
        """Some of the tokens, in this order."""
        some = np.asarray(rows, dtype=np.int64)
        return Asked(self.ids[some], self.logprob[some], self.control[some], self.rank[some], self.logit_diff[some])

    def in_order(self) -> "Asked":
        """By id."""
        return self.at(np.argsort(self.ids).tolist())

    @classmethod
    def of(cls, shards: Sequence[Mapping[str, np.ndarray]]) -> "Asked":
        """From the arrays of one batch or several."""
        return cls(**{name: np.concatenate([shard[name] for shard in shards]) for name in ("ids", *_MEASURED)})


Rows = Callable[[Asked], Iterable[dict[str, Any]]]
"""The records of a block."""


def no_rows(_: Asked) -> Iterable[dict[str, Any]]:
    """Nothing is recorded."""
    return ()


class Asker:
    """Asks tokens of one model in sequences that occur twice."""

    def __init__(self, run: Run[CopyMapConfig], model: CausalModel) -> None:
        self._run, self._seq_len, self._n_own = run, run.exp.seq_len, n_own_of(run.exp)
        self.reader = CopyReader(model, self._seq_len, run.facts.bos_id, run.exp.batch_size)

    def ask(
        self, stage: Stage, ids: Sequence[int], n_appearances: int, material: Material, rows: Rows = no_rows
    ) -> Asked:
        """Every token `n_appearances` times. What an earlier attempt of this run has asked is read from its shards.

        Raises `RunFailed` where the model's logits are no numbers.
        """
        n_asked = max(1, self._n_own // _SHARE_OF_WORST) if stage is Stage.WORST else self._n_own
        size = 2 * n_asked * BLOCK_PAIRS
        starts = range(0, len(ids), size)
        batches = [
            Batch(
                f"{stage.name.lower()}-{start:06d}",
                (number, list(ids[start : start + size])),
                len(ids[start : start + size]),
            )
            for number, start in enumerate(starts)
        ]

        def compute(batch: Batch[tuple[int, list[int]]]) -> dict[str, np.ndarray]:
            number, block = batch.work
            rngs = (np.random.default_rng([self._run.seed, stage, number, one]) for one in range(n_appearances))
            found = self.reader.read_rounds(
                draw_round(material, block, n_asked, self._n_own, self._seq_len, rng) for rng in rngs
            )
            return {name: found[name] for name in ("ids", *_MEASURED)}

        with self._run.timer(stage.name.lower()):
            shards = compute_batches(
                self._run, batches, compute, lambda _, arrays: rows(Asked.of([arrays])), f"asking: {stage.name.lower()}"
            )
        return Asked.of(shards)
