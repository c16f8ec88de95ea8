"""Asking tokens: round after round through the model, a block of tokens at a time, resumable."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from experiments.copy_map.config import CopyMapConfig, n_own_of
from experiments.copy_map.draws import BLOCK_PAIRS, Material, Pairs, draw_round
from harness.measure.logprobs import prediction_statistics
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.second_halves import SecondHalves
from harness.models.batch_size import halve_on_oom
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
        self._run, self._bos_id = run, run.facts.bos_id
        self._seq_len, self._n_own = run.exp.seq_len, n_own_of(run.exp)
        self.halves = SecondHalves(model, self._seq_len + int(self._bos_id is not None), self._seq_len)

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
            rounds = []
            for appearance in range(n_appearances):
                rng = np.random.default_rng([self._run.seed, stage, number, appearance])
                rounds.append(self._read(draw_round(material, block, n_asked, self._n_own, self._seq_len, rng)))
            order = [np.argsort(found["ids"]) for found in rounds]
            return {"ids": np.sort(np.asarray(block, dtype=np.int64))} | {
                name: np.stack([found[name][some] for found, some in zip(rounds, order, strict=True)], axis=1)
                for name in _MEASURED
            }

        with self._run.timer(stage.name.lower()):
            shards = compute_batches(
                self._run, batches, compute, lambda _, arrays: rows(Asked.of([arrays])), f"asking: {stage.name.lower()}"
            )
        return Asked.of(shards)

    def _read(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """What the tokens asked in some pairs come to, in the order of halves and places."""
        n_rows = len(pairs.halves)
        size = self._run.exp.batch_size or self.halves.rows_per_pass(len(pairs.places), 2 * BLOCK_PAIRS)
        parts = halve_on_oom(
            lambda some: self._pass(pairs, slice(2 * some.start, 2 * some.stop)),
            n_rows // 2,
            2 * self._seq_len,
            max(1, size // 2),
        )
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {"ids": pairs.targets[pairs.asked]} | {name: values[pairs.asked] for name, values in joined.items()}

    def _pass(self, pairs: Pairs, rows: slice) -> dict[str, np.ndarray]:
        """Log-prob, rank, logit difference and the control's log-prob at every place of some halves, whole pairs."""
        own = torch.from_numpy(pairs.halves[rows])
        targets = torch.from_numpy(pairs.targets[rows])
        first = own if self._bos_id is None else torch.cat([torch.full((len(own), 1), self._bos_id), own], dim=1)
        # The token at a place is predicted one place before it.
        before = (pairs.places - 1).tolist()
        # Row i of the second pass has the first half of row i, and as its second half that of its pair's other row.
        swapped = torch.arange(len(own)) ^ 1
        logits = self.halves.logits(first, (own, own[swapped]), before)
        after_own = next(logits)
        copied = prediction_statistics(after_own, targets)
        both = torch.stack([targets, targets[swapped]], dim=-1).to(after_own.device)
        of_target, of_foil = after_own.gather(2, both).float().unbind(-1)
        control = prediction_statistics(next(logits), targets[swapped]).logprob.cpu()[swapped]
        return {
            "logprob": copied.logprob.float().cpu().numpy(),
            "rank": copied.rank.cpu().numpy(),
            "control": control.float().numpy(),
            "logit_diff": (of_target - of_foil).cpu().numpy(),
        }
