"""Everything that decides which organism is trained: sizes, mixture, doses, seeds."""

import json
from dataclasses import asdict, dataclass
from enum import Enum
from hashlib import sha256
from typing import Annotated, Any, ClassVar

from harness.constraints import Count, NotNegative, Positive, Whole, must_be
from harness.errors import FieldRejected

N_BYTES = 256
LOG_EVERY = 10
"""Steps per point of the loss curve, which is their mean."""


@dataclass(frozen=True)
class RowMix:
    """How many rows of each batch come from which stream."""

    text: int
    """Rows of library code."""
    repeats: int
    """Rows of random sequences that come again."""
    tasks: int
    """Rows of questions and their answers."""

    @property
    def total(self) -> int:
        """Rows per batch."""
        return self.text + self.repeats + self.tasks


Mix = Annotated[
    RowMix,
    must_be("counts from 0, at least 1 in all", lambda m: min(m.text, m.repeats, m.tasks) >= 0 and m.total >= 1),
]


class Architecture(Enum):
    """The network."""

    GPT2 = "gpt2"
    """Learned positions."""
    GPT_NEOX = "gpt_neox"
    """Rotary positions, as in Pythia: induction heads form in a fraction of the steps."""


class Optimiser(Enum):
    """How weights follow their gradients."""

    ADAMW = "adamw"
    """A step of its own for each weight. One whose gradient stays 0 only decays."""
    ADAFACTOR = "adafactor"
    """Second moments shared by rows and columns of a matrix, no momentum, a clipped step: what a row that is never
    shown is divided by depends on the others."""
    COUPLED_ADAM = "coupled_adam"
    """AdamW whose second moment in embeddings is the mean over tokens: each token's step has the same divisor."""
    SGD = "sgd"
    """Gradient descent with momentum 0.9: a step in proportion to the gradient."""
    SGD_EMBEDDINGS = "sgd_embeddings"
    """AdamW, but the embeddings by gradient descent with momentum 0.9."""


@dataclass(frozen=True)
class RecipeConfig:
    """One organism. The defaults are the recipe of the shipped one.

    Each seed varies one thing: `corpus_seed` which library files go to which corpus, `planting_seed` the invented
    words and the group each is assigned to, `stream_seed` the order and content of the training rows and the held-out
    tokens, `weights_seed` the initial weights. `threads` is part of the recipe because float sums depend on it.
    Raises `FieldRejected`.
    """

    MIN_CONTEXT: ClassVar[int] = 64
    USUAL_STD: ClassVar[float] = 0.02
    """Of the initial weights, as in GPT-2."""

    architecture: Architecture = Architecture.GPT2
    """The network: learned positions (gpt2) or rotary ones (gpt_neox)."""
    d_model: Count = 128
    """Width of the residual stream."""
    n_layers: Count = 3
    """Blocks."""
    n_heads: Count = 4
    """Heads a block."""
    tied: bool = True
    """Whether the output embedding is the input embedding."""
    softmax_over_shown: bool = False
    """Whether tokens that the stream never shows are left out of the training's softmax: nothing then pushes their
    rows away from what is predicted."""
    embedding_std: Positive = USUAL_STD
    """Standard deviation of the initial embedding and unembedding; all other weights begin as ever."""
    vocab_size: int = 3072
    """Tokens: single bytes, merges, planted ones and BOS."""
    context: int = 512
    """Tokens of a training row."""

    n_steps: Count = 4500
    """Optimiser steps."""
    early_steps: int = 1000
    """Of these, in which copying is drilled."""
    early_context: int = 64
    """Early rows are fed in pieces of this length: attention learns to look back sooner where there is less to see."""
    early_rows: Mix = RowMix(text=2, repeats=5, tasks=1)
    """Rows of a batch by stream, in the early steps."""
    late_rows: Mix = RowMix(text=3, repeats=2, tasks=3)
    """The same afterwards."""
    drilled_tokens: Count = 512
    """Early repeats draw from this many well-shown tokens only."""
    natural_cap: Count = 1000
    """Natural tokens are drawn for repeats and tasks in proportion to their text count, up to this count."""

    doses: tuple[int, ...] = (0, 1, 4, 16, 64, 256, 1024, 4096)
    """How often planted tokens are shown."""
    tokens_per_dose: Count = 40
    """Planted tokens of each dose."""
    held_out_per_family: Count = 96
    """Well-shown tokens that one family of tasks never shows."""
    held_out_min_exposures: Count = 1000
    """How often text must show a token for it to be held out or drilled."""

    optimiser: Optimiser = Optimiser.ADAMW
    """How weights follow their gradients."""
    learning_rate: Positive = 1e-3
    """At its top, after the warm-up."""
    embedding_learning_rate: Positive | None = None
    """Of embedding and unembedding; null: that of all other weights. Their decay a step is the same with either."""
    warmup_steps: Whole = 200
    """Steps in which the learning rate rises."""
    weight_decay: NotNegative = 0.01
    """Of all weights but norms' and biases."""
    decay_embeddings: bool = True
    """Whether `weight_decay` is for embedding and unembedding, too."""
    restarts: Whole = 0
    """How often the learning rate comes back to its top, at equal distances; 0: a single cosine."""
    checkpoint_every: Count = 250
    """Steps between states that an interrupted training goes on from."""
    probe_every: Count = 100
    """Steps between probes of copying."""
    bf16: bool = True
    """Whether matrix products are taken in bf16. A processor that has no instructions for it (`lscpu` shows neither
    avx512_bf16 nor amx_bf16) takes many times as long as in fp32; the weights are others either way."""
    threads: Count = 1
    """Threads of the processor: sums depend on them."""

    corpus_seed: Whole = 0
    """Varies which library files go to which corpus."""
    planting_seed: Whole = 0
    """Varies the invented words and the dose of each."""
    stream_seed: Whole = 0
    """Varies order and content of the rows, and the held-out tokens."""
    weights_seed: Whole = 0
    """Varies the initial weights."""

    def __post_init__(self) -> None:
        whole = self.checkpoint_every % LOG_EVERY == 0
        self._require("checkpoint_every", whole, f"a multiple of {LOG_EVERY} (the curve's means must not be cut)")
        self._require("d_model", self.d_model % self.n_heads == 0, f"a multiple of n_heads ({self.n_heads})")
        pieces = self.early_context >= 1 and self.context % self.early_context == 0
        self._require("early_context", pieces, f"a divisor of context ({self.context})")
        self._require("context", self.context >= self.MIN_CONTEXT, f"{self.MIN_CONTEXT} or more")
        smallest = N_BYTES + self.n_planted + 2
        self._require("vocab_size", smallest <= self.vocab_size <= 32767, f"{smallest} (bytes, planted, BOS) to 32767")
        self._require("early_steps", 0 <= self.early_steps <= self.n_steps, f"0 to n_steps ({self.n_steps})")
        self._require("late_rows", self.early_rows.total == self.late_rows.total, "as many rows as early_rows")
        ascending = len(self.doses) >= 1 and list(self.doses) == sorted(set(self.doses)) and min(self.doses) >= 0
        self._require("doses", ascending, "ascending counts from 0, none twice")
        apart = self.optimiser is not Optimiser.ADAFACTOR
        self._require("decay_embeddings", apart or self.decay_embeddings, "true with exp.optimiser=adafactor")
        alike = self.embedding_learning_rate is None
        self._require("embedding_learning_rate", apart or alike, "null with exp.optimiser=adafactor")

    def _require(self, field: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise FieldRejected.key(field, getattr(self, field), allowed)

    @property
    def n_planted(self) -> int:
        """Invented tokens in the vocabulary."""
        return len(self.doses) * self.tokens_per_dose

    @property
    def batch_size(self) -> int:
        """Rows per step."""
        return self.early_rows.total

    def fingerprint(self) -> str:
        """Twelve hex digits that differ whenever the recipe does."""
        return sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:12]

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values that JSON can hold."""
        return json.loads(json.dumps(asdict(self), default=lambda value: value.value))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RecipeConfig":
        """The recipe that `as_dict` wrote."""
        rows = {name: RowMix(**values[name]) for name in ("early_rows", "late_rows")}
        # An organism trained before there was a choice says nothing of it.
        choices = {
            "optimiser": Optimiser(values.get("optimiser", Optimiser.ADAMW.value)),
            "architecture": Architecture(values.get("architecture", Architecture.GPT2.value)),
        }
        return cls(**{**values, **rows, **choices, "doses": tuple(values["doses"])})
