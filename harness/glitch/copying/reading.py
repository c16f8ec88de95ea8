"""What a model expects at the places of tokens under study, in halves that it has just seen."""

from collections.abc import Iterable

import numpy as np
import torch

from harness.glitch.copying.draws import BLOCK_PAIRS, Pairs
from harness.measure.logprobs import margins, prediction_statistics
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.second_halves import SecondHalves
from harness.models.batch_size import halve_on_oom


class CopyReader:
    """Reads pairs of halves of one length with one model."""

    def __init__(
        self,
        model: CausalModel,
        seq_len: int,
        bos_id: int | None,
        batch_size: int | None = None,
        has_control: bool = True,
        n_before: int = 1,
    ) -> None:
        """`batch_size`: halves in one pass, even; None: as memory allows. `has_control`: also after the other half.
        `n_before`: how often a half has occurred before it is asked.

        Raises `RunFailed` where the sequences do not fit the model's window.
        """
        self._seq_len, self._bos_id, self._batch_size, self._has_control = seq_len, bos_id, batch_size, has_control
        self._n_before = n_before
        self.halves = SecondHalves(model, n_before * seq_len + int(bos_id is not None), seq_len)

    def on(self, model: CausalModel) -> "CopyReader":
        """The same for another model, or for this one changed."""
        return CopyReader(model, self._seq_len, self._bos_id, self._batch_size, self._has_control, self._n_before)

    def read(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """Of every token asked, in the order of halves and places: `ids` and, each [asked], in nats but for the rank:

        `logprob` and `rank` (1: the only likeliest) where it must be copied; `margin`, by which its logit is above the
        best other one; `logit_diff`, above that of the token there in the pair's other half, which did not occur; and
        with a control `control`, its log-prob at the same place after the other half. Raises `RunFailed` where logits
        are no numbers.
        """
        n_rows = len(pairs.halves)
        size = self._batch_size or self.halves.rows_per_pass(len(pairs.places), 2 * BLOCK_PAIRS)
        parts = halve_on_oom(
            lambda some: self._pass(pairs, slice(2 * some.start, 2 * some.stop)),
            n_rows // 2,
            (self._n_before + 1) * self._seq_len,
            max(1, size // 2),
        )
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {"ids": pairs.targets[pairs.asked]} | {name: values[pairs.asked] for name, values in joined.items()}

    def read_rounds(self, rounds: Iterable[Pairs]) -> dict[str, np.ndarray]:
        """The same of rounds that ask the same ids: `ids` ascending, all others [id round]."""
        found = [self.read(pairs) for pairs in rounds]
        order = [np.argsort(one["ids"]) for one in found]
        return {"ids": np.sort(found[0]["ids"])} | {
            name: np.stack([one[name][some] for one, some in zip(found, order, strict=True)], axis=1)
            for name in found[0]
            if name != "ids"
        }

    def n_positions(self, pairs: Pairs) -> int:
        """Token positions that go through the model for some pairs."""
        return self.n_positions_of(len(pairs.halves))

    def n_positions_of(self, n_halves: int) -> int:
        """The same for so many halves."""
        return self.halves.n_positions(n_halves, 1 + int(self._has_control))

    def _pass(self, pairs: Pairs, rows: slice) -> dict[str, np.ndarray]:
        """The same at every place of some halves, whole pairs of them."""
        own = torch.from_numpy(pairs.halves[rows])
        targets = torch.from_numpy(pairs.targets[rows])
        first = own.repeat(1, self._n_before)
        if self._bos_id is not None:
            first = torch.cat([torch.full((len(own), 1), self._bos_id), first], dim=1)
        # The token at a place is predicted one place before it.
        before = (pairs.places - 1).tolist()
        # Row i of the second pass has the first half of row i, and as its second half that of its pair's other row.
        swapped = torch.arange(len(own)) ^ 1
        logits = self.halves.logits(first, (own, own[swapped]) if self._has_control else (own,), before)
        after_own = next(logits)
        copied = prediction_statistics(after_own, targets)
        both = torch.stack([targets, targets[swapped]], dim=-1).to(after_own.device)
        of_target, of_foil = after_own.gather(2, both).float().unbind(-1)
        found = {
            "logprob": copied.logprob.float().cpu().numpy(),
            "rank": copied.rank.cpu().numpy(),
            "margin": margins(after_own, targets).cpu().numpy(),
            "logit_diff": (of_target - of_foil).cpu().numpy(),
        }
        if self._has_control:
            control = prediction_statistics(next(logits), targets[swapped]).logprob.cpu()[swapped]
            found["control"] = control.float().numpy()
        return found
