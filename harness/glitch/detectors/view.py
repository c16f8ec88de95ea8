"""What a detector may know of a model: its rows, its tokenizer, and passes, which cost queries. Nothing of training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.detectors.price import QueryPrice
from harness.measure.row_checks import check_rows
from harness.models.vocab_facts import VocabFacts


@dataclass(frozen=True)
class Uncertainty:
    """The next-token distribution at the end of a prompt for each token, summed up."""

    entropy: Float[np.ndarray, " token"]
    """Nats."""
    predicts_token: Bool[np.ndarray, " token"]
    """Whether the prompt's own token is the likeliest."""
    n_positions: int
    """Token positions that went through the model."""


@dataclass(frozen=True)
class EntropyGradient:
    """How the entropy of one token's prompt changes with its row of the input embedding; one forward and backward."""

    entropy: float
    gradient: Float[np.ndarray, " d_model"]
    n_positions: int


@dataclass(frozen=True)
class Activations:
    """One row of activations for each token, from the first pass over a prompt."""

    values: Float[np.ndarray, "token feature"]
    n_positions: int


@runtime_checkable
class Passes(Protocol):
    """Passes of tokens through the model, each of which a detector has to account for."""

    @property
    def can_measure_uncertainty(self) -> bool:
        """Whether GlitchMiner's prompt fits the model's window."""
        ...

    @property
    def mining_length(self) -> int:
        """Positions of GlitchMiner's prompt from the token on: what one pass is charged."""
        ...

    @property
    def activation_length(self) -> int:
        """Positions of the repetition prompt from the token on: what one pass is charged."""
        ...

    def can_read_activations(self, layers: tuple[float, float]) -> bool:
        """Whether the repetition prompt fits the model's window and the model has the layers to read."""
        ...

    @property
    def shares_activations(self) -> bool:
        """Whether a query's own first pass is the one activations are read from: then they cost nothing more."""
        ...

    def uncertainty(self, ids: Sequence[int]) -> Uncertainty:
        """One pass for each token, GlitchMiner's prompt."""
        ...

    def entropy_gradient(self, token_id: int) -> EntropyGradient:
        """One forward and backward pass for one token, GlitchMiner's prompt."""
        ...

    def activations(self, ids: Sequence[int], layers: tuple[float, float]) -> Activations:
        """One pass for each token, the repetition prompt of the census; `layers`: first and last, as shares of the
        depth."""
        ...


@dataclass(frozen=True, eq=False)
class ModelView:
    """One model as detectors see it. Rows are float32; `ids` are the tokens a verdict is wanted for, ascending."""

    ids: Int[np.ndarray, " token"]
    embedding: Float[np.ndarray, "d_vocab d_model"]
    unembedding: Float[np.ndarray, "d_vocab d_model"]
    is_tied: bool
    texts: tuple[str, ...]
    """Text of every id, its leading space kept; "" for a row without a token."""
    byte_ids: frozenset[int] = frozenset()
    merges: tuple[int, ...] = ()
    """Ids in the order their merges were learnt."""
    unused_ids: tuple[int, ...] = ()
    """Ids that no text can hold, known from the tokenizer alone."""
    normal_ids: frozenset[int] | None = None
    """Ids whose text decodes and encodes to them again; None: all."""
    passes: Passes | None = None
    price: QueryPrice = field(default_factory=QueryPrice)
    """What one query of the oracle costs."""

    @cached_property
    def place(self) -> Int[np.ndarray, " d_vocab"]:
        """Where each id stands in `ids`; -1 for an id no verdict is wanted for."""
        where = np.full(len(self.embedding), -1, dtype=np.int64)
        where[self.ids] = np.arange(len(self.ids))
        return where

    @property
    def n(self) -> int:
        """Tokens a verdict is wanted for."""
        return len(self.ids)


def make_view(
    facts: VocabFacts,
    vocabulary: CensusVocabulary,
    ids: Sequence[int],
    embedding: Float[np.ndarray, "d_vocab d_model"],
    unembedding: Float[np.ndarray, "d_vocab d_model"],
    is_tied: bool,
    unused_ids: Sequence[int] = (),
    normal_ids: Iterable[int] | None = None,
    passes: Passes | None = None,
    price: QueryPrice = QueryPrice(),  # noqa: B008 (frozen)
) -> ModelView:
    """A view that carries nothing of `facts` but what the tokenizer says: the training counts are left out.

    Raises `RunFailed` for rows that are not finite or all the same.
    """

    check_rows(embedding, "embedding")
    check_rows(unembedding, "unembedding")
    texts = tuple("" if i in vocabulary.unnamed_ids else name for i, name in enumerate(vocabulary.names))
    return ModelView(
        ids=np.asarray(sorted(ids), dtype=np.int64),
        embedding=embedding,
        unembedding=unembedding,
        is_tied=is_tied,
        texts=texts,
        byte_ids=frozenset(i for i in facts.byte_ids if i is not None),
        merges=facts.merges,
        unused_ids=tuple(unused_ids),
        normal_ids=None if normal_ids is None else frozenset(normal_ids),
        passes=passes,
        price=price,
    )
