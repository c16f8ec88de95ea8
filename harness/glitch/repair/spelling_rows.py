"""The mean of the rows of the tokens that are spelt most like it.

The idea is GlitchEdit's ("One Bad Token Spoils the Barrel", USENIX Security 2026; code kstanghere/GlitchToken), which
weighs the one to five tokens with the highest difflib ratio; here likeness is the cosine of counts of one to three
signs in a row, weighted by how rare these are, and nothing of the own row is kept.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from harness.glitch.repair.patient import Patient, RowSource
from harness.glitch.repair.row_method import RowMethod

_NEIGHBOURS = 5


class SpellingRows(RowMethod):
    """Tokens without a text, and those spelt like no other, stay as they are."""

    kind = "spelling"

    def can_mend(self, patient: Patient, ids: Sequence[int]) -> list[int]:
        """Tokens that are spelt like others."""
        return list(_neighbours(patient, ids))

    def rows(
        self,
        patient: Patient,
        source: RowSource,
        ids: Sequence[int],
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Float[Tensor, "token d_model"]:
        """The mean over each token's nearest, weighted by likeness."""
        found = _neighbours(patient, ids)
        means = []
        for token in ids:
            near, likeness = found[token]
            weights = torch.from_numpy(likeness / likeness.sum()).to(source.mean)
            means.append(weights @ source.rows(near))
        return torch.stack(means) if means else source.rows([])


def _neighbours(patient: Patient, ids: Sequence[int]) -> dict[int, tuple[list[int], Float[np.ndarray, " neighbour"]]]:
    """The healthy tokens nearest in spelling, and how near; nobody for a token that shares no sign with any."""
    texts = patient.vocabulary.texts
    others = [token for token in patient.healthy.tolist() if patient.vocabulary.text(token)]
    asked = [token for token in ids if patient.vocabulary.text(token)]
    if not others or not asked:
        return {}
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False)
    known = vectorizer.fit_transform([texts[token] for token in others])
    likeness = vectorizer.transform([texts[token] for token in asked]) @ known.T
    found = {}
    for number, token in enumerate(asked):
        row = likeness[[number]].toarray()[0]
        nearest = np.argsort(-row, kind="stable")[:_NEIGHBOURS]
        nearest = nearest[row[nearest] > 0]
        if len(nearest):
            found[token] = ([others[place] for place in nearest.tolist()], row[nearest].astype(np.float64))
    return found
