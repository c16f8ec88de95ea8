"""What a method may know of the model and the tokens that it is to mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.glitch.census.ladder import Ladder
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import Wording
from harness.glitch.copying.draws import Material
from harness.models.answers.causal_model import CausalModel
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts


@dataclass(frozen=True, eq=False)
class Patient:
    """A model with glitch tokens. Held-out tokens and wordings are not in here."""

    model: CausalModel
    """Untouched."""
    tokenizer: Tokenizer
    vocabulary: CensusVocabulary
    facts: VocabFacts
    well_known: tuple[int, ...]
    suspects: frozenset[int]
    """Every token that is taken for a glitch token: none of them is an example of a healthy one."""
    fitting_ids: tuple[int, ...]
    """Glitch tokens that a method may choose its settings by."""
    fitting: tuple[Wording, ...]
    """Wordings that it may see."""
    ladder: Ladder
    """To ask in them."""
    material: Material | None
    """Of random sequences; None where the vocabulary is too small for them."""
    seed: int

    @cached_property
    def healthy(self) -> Int[np.ndarray, " token"]:
        """Every token that is not suspected, special or without a name: what rows are taken from."""
        out = self.suspects | self.vocabulary.special_ids | self.vocabulary.unnamed_ids
        n_rows = min(len(self.model.embedding()), self.model.d_vocab, len(self.vocabulary.texts))
        return np.array([token for token in range(n_rows) if token not in out], dtype=np.int64)

    @cached_property
    def ends(self) -> tuple["RowSource", "RowSource"]:
        """The input and the output matrix; the same object twice for a tied model."""
        first = RowSource.of(self.model.embedding(), self.healthy, self.well_known)
        if self.model.is_tied:
            return first, first
        return first, RowSource.of(self.model.unembedding(), self.healthy, self.well_known)


@dataclass(frozen=True, eq=False)
class RowSource:
    """One matrix, and what is typical of its rows."""

    matrix: Float[Tensor, "d_vocab d_model"]
    """The model's own memory, in its dtype."""
    mean: Float[Tensor, " d_model"]
    """Of every healthy token's row, float32."""
    norm: float
    """Median over well-known tokens."""
    deviation: float
    """Their median distance from the mean row."""

    @classmethod
    def of(
        cls, matrix: Float[Tensor, "d_vocab d_model"], healthy: Int[np.ndarray, " token"], well_known: Sequence[int]
    ) -> "RowSource":
        """Read them off."""
        mean = matrix[torch.from_numpy(healthy).to(matrix.device)].float().mean(0)
        known = matrix[torch.tensor(list(well_known), dtype=torch.long, device=matrix.device)].float()
        return cls(matrix, mean, float(known.norm(dim=1).median()), float((known - mean).norm(dim=1).median()))

    def rows(self, ids: Sequence[int]) -> Float[Tensor, "token d_model"]:
        """As they are, float32."""
        return self.matrix[torch.tensor(list(ids), dtype=torch.long, device=self.matrix.device)].float()
