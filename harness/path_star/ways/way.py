"""What a way of answering is: how a model is trained for it, and how its answers are got out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from harness.path_star._lazy import torch
from harness.path_star.codec import Codec
from harness.path_star.encoded import Rows
from harness.path_star.ways.batch import Batch
from harness.path_star.ways.settings import ObjectiveSettings


@runtime_checkable
class Forward(Protocol):
    """Logits of one causal pass."""

    def __call__(self, tokens: Int[torch.Tensor, "batch pos"], /) -> Float[torch.Tensor, "batch pos d_vocab"]:
        """Those of every position."""


@dataclass(frozen=True)
class Trunk:
    """What an added loss may read of the model."""

    hidden: Float[torch.Tensor, "batch pos d_model"]
    """Before the unembedding."""
    embedding: torch.nn.Embedding
    unembedding: torch.nn.Linear


@dataclass(frozen=True)
class ModelSizes:
    """What added modules must fit."""

    d_model: int
    n_heads: int
    vocab_size: int


@dataclass(frozen=True)
class Answers:
    """What a model wrote."""

    tokens: Int[np.ndarray, "row pos"]
    """The rows with the model's nodes in place of the true ones."""
    measured: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What else this way of writing tells, a value per row, by the name of the metric that is its mean."""


class Way(ABC):
    """A way of answering: an objective to train on, and the decoding that belongs to it.

    A subclass with a `name` in a file of this folder is a value of `exp.objective`. Every objective trains on the
    tokens of the answer only; the prompt carries no loss (unless an added loss says so).
    """

    name: ClassVar[str]
    """Its value of `exp.objective`."""
    label: ClassVar[str]
    """As a figure names it."""
    place: ClassVar[int] = 1000
    """The smaller, the earlier among the others in lists and pictures; equal ones go by name."""
    is_reversed: ClassVar[bool] = False
    """Whether the answer is written from goal to start."""
    reads_answer: ClassVar[bool] = True
    """Whether the model reads the part of its answer that is already written."""
    has_signs: ClassVar[bool] = False
    """Whether the vocabulary needs two signs more, which say from which end an answer is written."""
    has_settings: ClassVar[bool] = False
    """Whether `exp.objective_settings` changes it."""
    gives_whole_answers: ClassVar[bool] = True
    """Whether it is trained to give the whole answer, and so is drawn together with the others."""
    forced_tells_all: ClassVar[bool] = False
    """Whether a greedy answer is right exactly when all predictions with the truth before them are."""
    plans_as: ClassVar[type[Way] | None] = None
    """The way in which the path is written first, where the answer only copies it; heads are watched there."""

    def __init__(self, codec: Codec, settings: ObjectiveSettings) -> None:
        self.codec, self.settings = codec, settings

    @classmethod
    def n_added(cls, path_length: int) -> int:  # noqa: ARG003
        """Tokens that a row has besides prompt and answer. Where there are any, a node has to be one token."""
        return 0

    @classmethod
    def planning(cls) -> type[Way]:
        """The way whose rows show how the path is found."""
        return cls.plans_as or cls

    @classmethod
    def node_names(cls, path_length: int) -> tuple[str, ...]:
        """What a reader calls the answer's nodes, in the order in which they are written, from the start: `start`,
        `first step`, `step 2`, ..., `goal`."""
        steps = ["first step", *(f"step {number}" for number in range(2, path_length - 1))][: path_length - 2]
        names = ("start", *steps, "goal")
        return names[::-1] if cls.is_reversed else names

    @property
    def query_shift(self) -> int:
        """How much farther right than the token before a node the place lies where the node is predicted."""
        return 0

    @abstractmethod
    def arrange(self, batch: Batch) -> tuple[Int[torch.Tensor, "batch seen"], Int[torch.Tensor, "batch seen"]]:
        """Inputs of one training step, and what is to be predicted at every position (`IGNORED`: nothing)."""

    def modules(self, sizes: ModelSizes) -> Mapping[str, torch.nn.Module]:  # noqa: ARG002
        """Modules that are trained with the model and left out of what is shipped."""
        return {}

    def added_loss(self, modules: torch.nn.ModuleDict, trunk: Trunk, batch: Batch) -> Float[torch.Tensor, ""] | None:
        """A loss added to the cross-entropy of the labels, None where there is none; `modules` are its own."""
        del modules, trunk, batch
        return None

    @abstractmethod
    def reads(self, rows: Rows) -> Int[np.ndarray, "row seen"]:
        """What a trained model is given to read while its heads are watched."""

    @abstractmethod
    def generate(self, forward: Forward, rows: Rows, n_given: int = 0) -> Answers:
        """The model's own answers, which go on from the first `n_given` nodes of the rows' answers."""

    @abstractmethod
    def forced(self, forward: Forward, rows: Rows) -> Int[np.ndarray, "row pos"]:
        """The rows with the model's prediction for every node, given the truth before it, in place of the node."""
