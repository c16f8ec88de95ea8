"""Everything that decides which path-star model is trained: graph, objective, architecture, optimiser, seeds."""

import json
from dataclasses import asdict, dataclass
from enum import Enum
from hashlib import sha256
from typing import Annotated, Any

from harness.constraints import Count, NotNegative, Positive, Whole, must_be
from harness.errors import FieldRejected
from harness.path_star.graphs import StarTask, parse_graph

TASK_FILE = "path_star.json"
ACTIVATIONS = ("relu", "gelu", "gelu_new", "gelu_pytorch_tanh", "silu")
SCHEDULES = ("constant_with_warmup", "cosine", "linear", "constant")


class Architecture(Enum):
    """What is trained."""

    GPT2 = "gpt2"
    """From scratch, transformers' GPT-2."""
    GPT_NEOX = "gpt_neox"
    """From scratch, transformers' GPT-NeoX: rotary positions where GPT-2 learns one vector a position."""
    MAMBA = "mamba"
    """From scratch, transformers' Mamba."""
    PRETRAINED = "pretrained"
    """Weights of a folder or the hub (`pretrained`), trained further on the task as text."""


class Decoding(Enum):
    """How an answer is got out of a trained model."""

    AUTOREGRESSIVE = "autoregressive"
    """Token by token, each fed back."""
    PARALLEL = "parallel"
    """All at once, from dummy tokens in the answer's place."""
    EITHER_END = "either_end"
    """Token by token from both ends; of the two answers the likelier one."""
    UNMASKING = "unmasking"
    """Node by node, always the one the model is surest of."""
    SCRATCHPAD = "scratchpad"
    """Token by token, the path from goal to start before the answer."""


class ObjectiveName(Enum):
    """What a model is trained on (`harness.path_star.objectives` says how)."""

    TEACHER_FORCING = "teacher_forcing"
    TEACHERLESS = "teacherless"
    REVERSED = "reversed"
    FIRST_ONLY = "first_only"
    MULTI_TOKEN = "multi_token"
    TOKEN_ORDER = "token_order"
    NEXT_LATENT = "next_latent"
    MASKED_TARGETS = "masked_targets"
    EITHER_END = "either_end"
    MASKED_DIFFUSION = "masked_diffusion"
    SCRATCHPAD = "scratchpad"

    @property
    def label(self) -> str:
        """As a figure names it."""
        return {
            "first_only": "first step only",
            "multi_token": "multi-token",
            "token_order": "token order",
            "next_latent": "next latent",
            "masked_targets": "masked targets",
            "either_end": "either end",
            "masked_diffusion": "masked diffusion",
        }.get(self.value, self.value.replace("_", " "))

    @property
    def is_reversed(self) -> bool:
        """Whether the answer is written from goal to start."""
        return self is ObjectiveName.REVERSED

    @property
    def decoding(self) -> Decoding:
        """How answers are got out of the trained model."""
        other = {
            ObjectiveName.TEACHERLESS: Decoding.PARALLEL,
            ObjectiveName.EITHER_END: Decoding.EITHER_END,
            ObjectiveName.MASKED_DIFFUSION: Decoding.UNMASKING,
            ObjectiveName.SCRATCHPAD: Decoding.SCRATCHPAD,
        }
        return other.get(self, Decoding.AUTOREGRESSIVE)

    @property
    def has_signs(self) -> bool:
        """Whether a sign before the answer says from which end it is written."""
        return self is ObjectiveName.EITHER_END

    def n_added(self, path_length: int) -> int:
        """Tokens that a row has more than prompt and answer: a sign, a dummy for every node, or a scratchpad."""
        more = {Decoding.EITHER_END: 1, Decoding.UNMASKING: path_length, Decoding.SCRATCHPAD: path_length}
        return more.get(self.decoding, 0)


@dataclass(frozen=True)
class ObjectiveSettings:
    """Parameters of the objectives; those of another objective are not looked at."""

    horizon: Annotated[int, must_be("1 or more, or null", lambda n: n >= 1)] | None = None
    """How many tokens ahead are predicted (multi_token, next_latent); None: l - 2 (arXiv 2511.05963), 2 or more for
    multi_token."""
    added_weight: Positive = 1.0
    """Weight of the added loss (1 in arXiv 2511.05963)."""
    order_temperature: Positive = 1.0
    """token_order: what closeness is divided by before the softmax; large values weigh all tokens to come alike."""
    mask_share: Annotated[float, must_be("0 to 1, or null", lambda share: 0 <= share <= 1)] | None = None
    """masked_targets: how many of the answer's tokens are hidden; None: for every row a share drawn between 0 and 1."""


@dataclass(frozen=True)
class PathStarRecipe:
    """One training. The defaults are those that solve the small graphs on one core in minutes.

    Each seed varies one thing: `graph_seed` the graphs, `weights_seed` the initial weights, `order_seed` the order in
    which training shows the graphs; `replicate` is added to all three and so repeats the whole. `threads` is part of
    the recipe because float sums depend on it. Raises `FieldRejected`.
    """

    graph: str = "2x5"
    """DxL: D arms of L nodes, start and goal included: G(D, L)."""
    n_values: int = 50
    """How many node numbers there are."""
    n_train: Count = 200_000
    """Graphs, drawn once and shown again every epoch (the authors' setting)."""
    train_file: str | None = None
    """A file in the authors' format instead of drawn graphs."""
    held_out_file: str | None = None
    """A file whose graphs are kept out of training; None: the drawn held-out graphs are."""
    n_held_out: Count = 20_000
    """Drawn graphs that training never shows."""

    objective: ObjectiveName = ObjectiveName.TEACHER_FORCING
    objective_settings: ObjectiveSettings = ObjectiveSettings()

    architecture: Architecture = Architecture.GPT2
    pretrained: str | None = None
    """Folder or hub name of the model to fine-tune (architecture: pretrained)."""
    n_layers: Count = 3
    d_model: Count = 128
    n_heads: Count = 4
    """How wide they are decides what a small model learns in a few thousand steps: `sweep=path_star_wide_heads`."""
    d_state: Count = 16
    """Mamba's state per channel."""
    activation: Annotated[str, must_be(f"one of {', '.join(ACTIVATIONS)}", ACTIVATIONS.__contains__)] = "relu"
    """GPT-2's MLP; `gelu_new` is the authors'."""

    init_std: Positive = 0.02
    """GPT-2's initial weights, all of them, as the authors have it: transformers makes those that write to the residual
    stream smaller, which decides whether a small teacherless model learns G(2,3) within a few thousand steps."""

    n_steps: Count = 4000
    batch_size: Count = 128
    learning_rate: Positive = 5e-4
    warmup_steps: Whole = 100
    schedule: Annotated[str, must_be(f"one of {', '.join(SCHEDULES)}", SCHEDULES.__contains__)] = "constant_with_warmup"
    """A schedule of transformers; the authors' cosine counts samples and is in effect constant."""
    weight_decay: NotNegative = 0.0
    beta2: Annotated[float, must_be("between 0 and 1", lambda beta: 0 < beta < 1)] = 0.999
    clip: Positive = 1.0
    bf16: bool = True
    """Products in bf16, weights and sums in fp32."""
    stop_when_solved: Annotated[float, must_be("above 0 and up to 1, or null", lambda x: 0 < x <= 1)] | None = 0.999
    """End early when two probes in a row get at least this share of held-out paths right; None: never."""

    probe_every: Count = 250
    n_probe: Count = 512
    """Held-out graphs per probe of the training curve."""
    checkpoint_every: Count = 500
    threads: Count = 1

    graph_seed: Whole = 0
    weights_seed: Whole = 0
    order_seed: Whole = 0
    replicate: Whole = 0

    def __post_init__(self) -> None:
        self._require("d_model", self.d_model % self.n_heads == 0, f"a multiple of n_heads ({self.n_heads})")
        _ = self.task
        if self.objective.n_added(1) and self.architecture is Architecture.PRETRAINED:
            raise FieldRejected(
                f"objective: got {self.objective.value} with architecture=pretrained, allowed: a model from scratch"
            )
        if (self.architecture is Architecture.PRETRAINED) != (self.pretrained is not None):
            raise FieldRejected(
                f"pretrained: got {self.pretrained!r} with architecture={self.architecture.value}, allowed: "
                "architecture=pretrained and pretrained=<folder or hub name>, or neither"
            )

    def _require(self, field: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise FieldRejected.key(field, getattr(self, field), allowed)

    @property
    def task(self) -> StarTask:
        """G(d, l) over the node numbers."""
        degree, path_length = parse_graph(self.graph)
        return StarTask(degree, path_length, self.n_values)

    def fingerprint(self) -> str:
        """Twelve hex digits that differ whenever the recipe does."""
        return sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:12]

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values that JSON can hold."""
        values = asdict(self)
        values["objective"], values["architecture"] = self.objective.value, self.architecture.value
        return json.loads(json.dumps(values))
