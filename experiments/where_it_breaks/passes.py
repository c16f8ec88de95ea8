"""Sequences as the model gets them, one pass over them, and what is read of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from experiments.where_it_breaks.interventions import Half
from harness.errors import RunFailed
from harness.glitch.copying.draws import Pairs
from harness.measure.logprobs import prediction_statistics
from harness.models.loaded import LoadedModel

EMBED, FINAL = "hook_embed", "unembed.hook_in"

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Pairs of halves as the model gets them: each after itself, then each after its pair's other one."""

    tokens: Int[Tensor, "row pos"]
    targets: Int[Tensor, "half place"]
    foils: Int[Tensor, "half foil"]
    """Tokens of the same kind that did not occur: those asked in the pair's other half, in turn."""
    studied: Bool[Tensor, "row pos"]
    """Where tokens under study stand, or who stands in for them."""
    ids: Int[np.ndarray, " token"]
    """Tokens under study, or who stands in for them, in one order for all."""
    of_pool: bool
    """Whether they are tokens under study."""
    reads: tuple[int, ...]
    """Positions that predict the places."""
    places: tuple[int, ...]
    """Of the second half's tokens at the places."""
    first: int
    seq_len: int

    @classmethod
    def of(cls, pairs: Pairs, ids: Int[np.ndarray, " token"], of_pool: bool, bos_id: int | None) -> "Sequences":
        """From halves, whole pairs of them."""
        own = torch.from_numpy(pairs.halves)
        n, seq_len = own.shape
        swapped = torch.arange(n) ^ 1
        tokens = torch.cat([torch.cat([own, own], dim=1), torch.cat([own[swapped], own], dim=1)])
        first = int(bos_id is not None)
        if bos_id is not None:
            tokens = torch.cat([torch.full((2 * n, 1), bos_id), tokens], dim=1)
        places = tuple((first + seq_len + pairs.places).tolist())
        studied = torch.isin(tokens, torch.from_numpy(ids))
        foils, targets = torch.from_numpy(_foils(pairs)), torch.from_numpy(pairs.targets)
        reads = tuple(place - 1 for place in places)
        return cls(tokens, targets, foils, studied, ids, of_pool, reads, places, first, seq_len)

    def positions(self, half: Half) -> slice:
        """Of one half."""
        start = self.first + (self.seq_len if half is Half.SECOND else 0)
        return slice(start, start + self.seq_len)


@dataclass(frozen=True, eq=False)
class Pass:
    """What is kept of one pass."""

    sequences: Sequences
    logits: Float[Tensor, "row place d_vocab"]
    state: Float[Tensor, "row place d_model"] | None
    """What the unembedding reads."""
    kept: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Read:
    """Of every place, asked or not."""

    identity: Float[np.ndarray, "half place"]
    """By how much more its logit rises than those of its foils (mean), after its own first half over the other one."""
    copy_effect: Float[np.ndarray, "half place"]
    """Log-prob after its own first half minus after the other one (nats): foils may rise as much."""
    logprob: Float[np.ndarray, "half place"]
    """After its own first half."""
    copied: Bool[np.ndarray, "half place"]
    """Whether the column read is the only likeliest there."""


def run_pass(
    model: LoadedModel, sequences: Sequences, edits: Mapping[str, Edit], keep: Sequence[str] = (), state: bool = False
) -> Pass:
    """Run; keep whole activations of some hooks. Raises `RunFailed` for one that never fires."""
    kept: dict[str, Tensor] = {}

    def reader(name: str) -> Callable[[Tensor], None]:
        def read(activation: Tensor) -> None:
            kept[name] = activation[:, list(sequences.reads)].clone() if name == FINAL else activation.clone()

        return read

    wanted = (*keep, *((FINAL,) if state else ()))
    logits = model.forward(sequences.tokens, {name: reader(name) for name in wanted}, edits)
    missing = [name for name in wanted if name not in kept]
    if missing:
        raise RunFailed(f"hook {missing[0]!r} exists but never fires in this architecture")
    final = kept.pop(FINAL, None)
    return Pass(sequences, logits[:, list(sequences.reads)].clone(), final, kept)


def read(logits: Float[Tensor, "row place d_vocab"], sequences: Sequences) -> Read:
    """How well the targets of some sequences are expected. Raises `RunFailed` where logits are no numbers."""
    targets = sequences.targets
    n, n_places = targets.shape
    after_own, after_other = (prediction_statistics(part, targets) for part in (logits[:n], logits[n:]))
    columns = torch.cat([targets[..., None], sequences.foils[:, None].expand(-1, n_places, -1)], dim=2)
    found = logits.gather(2, columns.repeat(2, 1, 1).to(logits.device)).float()
    above = found[..., 0] - found[..., 1:].mean(dim=2)
    return Read(
        (above[:n] - above[n:]).cpu().numpy(),
        (after_own.logprob - after_other.logprob).float().cpu().numpy(),
        after_own.logprob.float().cpu().numpy(),
        after_own.correct.cpu().numpy(),
    )


def _foils(pairs: Pairs) -> Int[np.ndarray, "half foil"]:
    """For a half whose pair's other one asks nothing: the tokens at the same places there."""
    found = []
    for row in np.arange(len(pairs.halves)) ^ 1:
        asked = pairs.asked[row]
        found.append(pairs.targets[row][asked] if asked.any() else pairs.targets[row])
    # Repeated in turn, as many times as fit: with one or two of a dozen counted twice, a mean stays a mean of them.
    return np.stack([np.resize(one, len(pairs.places)) for one in found])
