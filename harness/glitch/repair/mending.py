"""What a method does to a model: while it is applied, the model answers otherwise."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.models.answers.causal_model import CausalModel
from harness.models.answers.replaced_rows import NewRows, rows_replaced
from harness.models.answers.steered import Scope
from harness.models.tokenizers import Tokenizer


@dataclass(frozen=True, eq=False, kw_only=True)
class Mending(ABC):
    """A change that can be applied to the model it was made for."""

    n_positions: int = 0
    """Token positions that went through the model to find it, passes back counted as two more."""
    facts: Mapping[str, float | int | str] = field(default_factory=dict)
    """What was chosen or found on the way, for a reader."""
    left_out: tuple[int, ...] = ()
    """Tokens that the method has nothing for: they stay as they are."""

    @abstractmethod
    @contextmanager
    def on(self, model: CausalModel, scope: Scope) -> Iterator[CausalModel]:
        """The model as it is with this change, inside the block. `scope`: what is read of it."""

    @property
    def tokenizer(self) -> Tokenizer | None:
        """A tokenizer in place of the model's own; None where it stays."""
        return None

    @property
    def pieces(self) -> Mapping[int, tuple[int, ...]]:
        """Ids that stand for a token's text now, by the id that stood for it; empty where the tokenizer stays."""
        return {}

    @property
    def lost(self) -> tuple[int, ...]:
        """Other tokens that no text leads to any more, ascending: their pieces stand in for them."""
        return ()

    def costs(self, texts: Sequence[str], seed: int) -> dict[str, float | None]:  # noqa: ARG002
        """What running text pays beside its perplexity, with intervals; nothing where the tokenizer stays."""
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class NoMending(Mending):
    """Nothing is changed."""

    @contextmanager
    def on(self, model: CausalModel, scope: Scope) -> Iterator[CausalModel]:  # noqa: ARG002
        """The model itself."""
        yield model


@dataclass(frozen=True, eq=False, kw_only=True)
class RowMending(Mending):
    """Other rows for some tokens."""

    rows: NewRows

    @contextmanager
    def on(self, model: CausalModel, scope: Scope) -> Iterator[CausalModel]:  # noqa: ARG002
        """The model with these rows, whatever is read of it."""
        with rows_replaced(model, self.rows):
            yield model
