"""What heads make of a token's row by their weights alone, whatever any sequence is: whether they copy and match it.

The OV circuit of a head says which token it raises when it looks at one, the QK circuit of an induction head which key
its cue finds, keys being made of what a previous-token head writes of each token (Elhage et al. 2021, "A Mathematical
Framework for Transformer Circuits"; K-composition). Rows go through the model itself, one token a sequence: a token
alone attends to itself, so its heads' outputs are their values, whatever norms and grouped keys an architecture has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.where_it_breaks.abilities import Abilities
from experiments.where_it_breaks.bench import Bench, Chosen
from experiments.where_it_breaks.choosing import Studied
from experiments.where_it_breaks.interventions import Whose
from harness.measure.heads import Head
from harness.models.loaded import LoadedModel

_AT_A_TIME = 512


@dataclass(frozen=True, eq=False)
class Ranked:
    """Where each token stands among the candidates, by its own row."""

    rank: Float[np.ndarray, " token"]
    """1 is first; as good counts half."""
    z_score: Float[np.ndarray, " token"]
    """Height above the candidates' mean, in their standard deviations."""

    @classmethod
    def of(cls, scores: Float[np.ndarray, "token candidate"], own: Int[np.ndarray, " token"]) -> "Ranked":
        """From scores of all candidates; `own`: each token's column."""
        values = scores.astype(np.float64)
        mine = np.take_along_axis(values, own[:, None], axis=1)
        above, equal = (values > mine).sum(axis=1), (values == mine).sum(axis=1) - 1
        spread = values.std(axis=1)
        height = mine[:, 0] - values.mean(axis=1)
        return cls(1 + above + equal / 2, np.divide(height, spread, out=np.zeros(len(values)), where=spread > 0))

    def some(self, part: slice) -> "Ranked":
        """Of some of the tokens."""
        return Ranked(self.rank[part], self.z_score[part])

    @property
    def is_first(self) -> Float[np.ndarray, " token"]:
        """1 where no other is as good."""
        found: np.ndarray = (self.rank == 1).astype(np.float64)
        return found


def candidates_of(studied: Studied) -> Int[np.ndarray, " candidate"]:
    """The pool's tokens under study and all well-known ones, ascending."""
    return np.union1d(studied.ids, np.union1d(studied.partners, studied.common))


@dataclass(frozen=True, eq=False)
class Circuits:
    """The chosen heads of a model, and rows that go in."""

    model: LoadedModel
    abilities: Abilities
    chosen: Chosen

    @classmethod
    def of(cls, bench: Bench) -> "Circuits":
        """Of the heads that a bench patches."""
        return cls(bench.model, bench.abilities, bench.chosen)

    @property
    def copying(self) -> tuple[Head, ...]:
        """Heads of which it can be said what they copy: induction heads, where what heads write is known."""
        able = self.abilities
        if able.parts is None or able.input_scale is None or not able.attends_fully:
            return ()
        return self.chosen.induction

    @property
    def matching(self) -> tuple[tuple[Head, Head], ...]:
        """Previous-token heads and induction heads of layers after them, where positions have no part in scores."""
        if not self.copying or not self.abilities.queries:
            return ()
        return tuple((a, b) for b in self.chosen.induction for a in self.chosen.previous if a.layer < b.layer)

    def of_pool(self, studied: Studied) -> dict[str, dict[str, Ranked]]:
        """Circuit -> whose tokens -> where they stand among the pool's tokens under study and all well-known ones."""
        candidates = candidates_of(studied)
        both = np.concatenate([studied.ids, studied.partners])
        found = {f"ov_copying/{head.label}": self.copies(head, both, candidates) for head in self.copying}
        for previous, induction in self.matching:
            name = f"matching/{previous.label}_{induction.label}"
            found[name] = self.matches(previous, induction, both, candidates)
        whose = {Whose.OWN.value: slice(len(studied.ids)), Whose.PARTNER.value: slice(len(studied.ids), None)}
        return {name: {who: ranked.some(part) for who, part in whose.items()} for name, ranked in found.items()}

    def rows(self, ids: Int[np.ndarray, " token"]) -> Float[Tensor, "token d_model"]:
        """What the model sees of tokens, positions apart."""
        matrix = self.model.embedding()
        return matrix[torch.from_numpy(ids).to(matrix.device)] * (self.abilities.input_scale or 1.0)

    def written(self, head: Head, rows: Float[Tensor, "token d_model"]) -> Float[Tensor, "token d_model"]:
        """What a head writes when it looks at these rows, without the bias that a layer's heads share."""
        weights = self.model.head_output_weights(head.layer)
        assert weights is not None, "parts are known only where these are"
        outputs = self._through(rows, head.layer, self.abilities.outputs[head.layer])[:, head.head]
        return outputs @ weights[head.head].to(outputs)

    def copies(self, head: Head, ids: Int[np.ndarray, " token"], candidates: Int[np.ndarray, " candidate"]) -> Ranked:
        """Where each token stands in what the unembedding reads of a head that looks at its row, normalised.

        `candidates` ascending, the tokens among them.
        """
        columns, last = torch.from_numpy(candidates), len(self.abilities.residual) - 1
        written = self.written(head, self.rows(ids))
        logits = [self._logits(some, last)[:, columns] for some in written.split(_AT_A_TIME)]
        return Ranked.of(torch.cat(logits).float().cpu().numpy(), np.searchsorted(candidates, ids))

    def matches(
        self, previous: Head, induction: Head, ids: Int[np.ndarray, " token"], candidates: Int[np.ndarray, " candidate"]
    ) -> Ranked:
        """Where the key made of each token by a previous-token head stands, for the query of the same token as a cue.

        `candidates` ascending, the tokens among them: keys are made of each.
        """
        able, layer = self.abilities, induction.layer
        queries = self._through(self.rows(ids), layer, able.queries[layer])
        keys = self._through(self.written(previous, self.rows(candidates)), layer, able.keys[layer])
        # Grouped queries share a key.
        shared = queries.shape[1] // keys.shape[1]
        scores = queries[:, induction.head] @ keys[:, induction.head // shared].to(queries).T
        return Ranked.of(scores.cpu().numpy(), np.searchsorted(candidates, ids))

    def _through(self, rows: Float[Tensor, "token d_model"], layer: int, hook: str) -> Float[Tensor, "token head d"]:
        found: list[Tensor] = []
        for some in rows.split(_AT_A_TIME):
            self._forward(some, layer, {hook: lambda activation: found.append(activation[:, 0].float().clone())})
        return torch.cat(found)

    def _logits(self, rows: Float[Tensor, "token d_model"], layer: int) -> Float[Tensor, "token d_vocab"]:
        return self._forward(rows, layer, {})[:, 0]

    def _forward(self, rows: Tensor, layer: int, readers: Mapping[str, Callable[[Tensor], None]]) -> Tensor:
        nobody = torch.zeros(len(rows), 1, dtype=torch.long)
        put = {self.abilities.residual[layer]: lambda stream: rows[:, None].to(stream)}
        return self.model.forward(nobody, readers, put)
