"""The mean of the rows of a token's pieces: what its text would be read as if it were not in the vocabulary."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from harness.glitch.repair.patient import Patient, RowSource
from harness.glitch.repair.row_method import RowMethod


class PieceRows(RowMethod):
    """Tokens of one sign, and parts of a character, have no pieces: they stay as they are."""

    kind = "pieces"

    def can_mend(self, patient: Patient, ids: Sequence[int]) -> list[int]:
        """Tokens with pieces."""
        return [token for token in ids if pieces_of(patient, token)]

    def rows(
        self,
        patient: Patient,
        source: RowSource,
        ids: Sequence[int],
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Float[Tensor, "token d_model"]:
        """The mean over each token's pieces, each as often as it occurs."""
        means = [source.rows(pieces_of(patient, token)).mean(0) for token in ids]
        return torch.stack(means) if means else source.rows([])


def pieces_of(patient: Patient, token: int) -> list[int]:
    """Ids that the text of a token is made of without that token: as encoded in two parts, by the cut that gives the
    fewest ids, the longest first part among equals; empty where no cut gives the text back.

    Of a token that its own text does not lead to it is what the text does lead to.
    """
    text = patient.vocabulary.text(token)
    if text is None:
        return []
    encode, decode = patient.tokenizer.encode, patient.tokenizer.decode
    whole = encode(text)
    if token not in whole and decode(whole) == text:
        return whole
    found: list[int] = []
    for cut in range(len(text) - 1, 0, -1):
        ids = [*encode(text[:cut]), *encode(text[cut:])]
        if token not in ids and (not found or len(ids) < len(found)) and decode(ids) == text:
            found = ids
    return found
