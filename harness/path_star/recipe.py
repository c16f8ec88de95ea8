"""Everything that decides which path-star model is trained: graph, objective, architecture, optimiser, seeds."""

import json
from dataclasses import asdict, dataclass
from enum import Enum
from hashlib import sha256
from typing import Annotated, Any

from harness.constraints import Count, NotNegative, Positive, Whole, must_be
from harness.errors import FieldRejected
from harness.path_star.graphs import StarTask, parse_graph
from harness.path_star.ways.roster import WayName, find
from harness.path_star.ways.settings import ObjectiveSettings
from harness.path_star.ways.teacher_forcing import TeacherForcing
from harness.path_star.ways.way import Way

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

    objective: WayName = TeacherForcing.name
    """How it is trained to answer; docs/path_star.md lists them."""
    objective_settings: ObjectiveSettings = ObjectiveSettings()  # noqa: RUF009 (it is frozen)

    architecture: Architecture = Architecture.GPT2
    """The network; `pretrained` fine-tunes one."""
    pretrained: str | None = None
    """Folder or hub name of the model to fine-tune (architecture: pretrained)."""
    n_layers: Count = 3
    """Blocks."""
    d_model: Count = 128
    """Width of the residual stream."""
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
    """Optimiser steps at most."""
    batch_size: Count = 128
    """Graphs a step."""
    learning_rate: Positive = 5e-4
    """At its top, after the warm-up."""
    warmup_steps: Whole = 100
    """Steps in which the learning rate rises."""
    schedule: Annotated[str, must_be(f"one of {', '.join(SCHEDULES)}", SCHEDULES.__contains__)] = "constant_with_warmup"
    """A schedule of transformers; the authors' cosine counts samples and is in effect constant."""
    weight_decay: NotNegative = 0.0
    """Of all weights but norms' and biases."""
    beta2: Annotated[float, must_be("between 0 and 1", lambda beta: 0 < beta < 1)] = 0.999
    """Adam's, of the second moment."""
    clip: Positive = 1.0
    """Largest norm of a gradient."""
    bf16: bool = True
    """Products in bf16, weights and sums in fp32."""
    stop_when_solved: Annotated[float, must_be("above 0 and up to 1, or null", lambda x: 0 < x <= 1)] | None = 0.999
    """End early when two probes in a row get at least this share of held-out paths right; None: never."""

    probe_every: Count = 250
    """Steps between points of the training curve."""
    n_probe: Count = 512
    """Held-out graphs per probe of the training curve."""
    checkpoint_every: Count = 500
    """Steps between states that an interrupted training goes on from."""
    threads: Count = 1
    """Threads of the processor: sums depend on them."""

    graph_seed: Whole = 0
    """Varies the graphs."""
    weights_seed: Whole = 0
    """Varies the initial weights."""
    order_seed: Whole = 0
    """Varies the order in which they are shown."""
    replicate: Whole = 0
    """Varies all three together: 0, 1, 2 are repetitions of a training."""

    def __post_init__(self) -> None:
        self._require("d_model", self.d_model % self.n_heads == 0, f"a multiple of n_heads ({self.n_heads})")
        _ = self.task
        if self.way.n_added(1) and self.architecture is Architecture.PRETRAINED:
            raise FieldRejected(
                f"objective: got {self.objective} with architecture=pretrained, allowed: a model from scratch"
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

    @property
    def way(self) -> type[Way]:
        """How the model is trained and answers."""
        return find(self.objective)

    def fingerprint(self) -> str:
        """Twelve hex digits that differ whenever the recipe does."""
        return sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:12]

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values that JSON can hold."""
        values = asdict(self)
        values["architecture"] = self.architecture.value
        return json.loads(json.dumps(values))
