"""Everything that decides which path-star model is trained: graph, objective, architecture, optimiser, seeds."""

import json
from dataclasses import asdict, dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from harness.path_star.graphs import StarTask, parse_graph
from harness.path_star.ways.roster import WayName, find
from harness.path_star.ways.settings import ObjectiveSettings
from harness.path_star.ways.teacher_forcing import TeacherForcing
from harness.path_star.ways.way import Way

TASK_FILE = "path_star.json"


class Architecture(Enum):
    """What is trained."""

    GPT2 = "gpt2"
    """From scratch, transformers' GPT-2."""
    GPT_NEOX = "gpt_neox"
    """From scratch, transformers' GPT-NeoX: rotary positions where GPT-2 learns one vector a position."""
    MAMBA = "mamba"
    """From scratch, transformers' Mamba."""
    PRETRAINED = "pretrained"
    """Weights of a folder or the hub (`exp.pretrained`), trained further on the task as text."""


_AT_LEAST_ONE = ("n_train", "n_layers", "d_model", "n_heads", "n_steps", "batch_size", "checkpoint_every", "threads",
                 "probe_every", "n_probe", "d_state")  # fmt: skip
_AT_LEAST_ZERO = ("graph_seed", "weights_seed", "order_seed", "replicate", "warmup_steps", "weight_decay")


@dataclass(frozen=True)
class PathStarRecipe:
    """One training. The defaults are those that solve the small graphs on one core in minutes.

    Each seed varies one thing: `graph_seed` the graphs, `weights_seed` the initial weights, `order_seed` the order in
    which training shows the graphs; `replicate` is added to all three and so repeats the whole. `threads` is part of
    the recipe because float sums depend on it. Raises ValueError naming field, value and what is allowed.
    """

    graph: str = "2x5"
    """DxL: D arms of L nodes, start and goal included: G(D, L)."""
    n_values: int = 50
    """How many node numbers there are."""
    n_train: int = 200_000
    """Graphs, drawn once and shown again every epoch (the authors' setting)."""
    train_file: str | None = None
    """A file in the authors' format instead of drawn graphs."""
    held_out_file: str | None = None
    """A file whose graphs are kept out of training; None: the drawn held-out graphs are."""
    n_held_out: int = 20_000
    """Drawn graphs that training never shows."""

    objective: WayName = TeacherForcing.name
    objective_settings: ObjectiveSettings = ObjectiveSettings()  # noqa: RUF009 (it is frozen)

    architecture: Architecture = Architecture.GPT2
    pretrained: str | None = None
    """Folder or hub name of the model to fine-tune (architecture: pretrained)."""
    n_layers: int = 3
    d_model: int = 128
    n_heads: int = 4
    """How wide they are decides what a small model learns in a few thousand steps: `sweep=path_star_wide_heads`."""
    d_state: int = 16
    """Mamba's state per channel."""
    activation: str = "relu"
    """GPT-2's MLP; `gelu_new` is the authors'."""

    init_std: float = 0.02
    """GPT-2's initial weights, all of them, as the authors have it: transformers makes those that write to the residual
    stream smaller, which decides whether a small teacherless model learns G(2,3) within a few thousand steps."""

    n_steps: int = 4000
    batch_size: int = 128
    learning_rate: float = 5e-4
    warmup_steps: int = 100
    schedule: str = "constant_with_warmup"
    """A schedule of transformers; the authors' cosine counts samples and is in effect constant."""
    weight_decay: float = 0.0
    beta2: float = 0.999
    clip: float = 1.0
    bf16: bool = True
    """Products in bf16, weights and sums in fp32."""
    stop_when_solved: float | None = 0.999
    """End early when two probes in a row get at least this share of held-out paths right; None: never."""

    probe_every: int = 250
    n_probe: int = 512
    """Held-out graphs per probe of the training curve."""
    checkpoint_every: int = 500
    threads: int = 1

    graph_seed: int = 0
    weights_seed: int = 0
    order_seed: int = 0
    replicate: int = 0

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            self._require(name, getattr(self, name) >= 1, "1 or more")
        for name in _AT_LEAST_ZERO:
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("learning_rate", self.learning_rate > 0, "above 0")
        self._require("clip", self.clip > 0, "above 0")
        self._require("init_std", self.init_std > 0, "above 0")
        self._require("beta2", 0 < self.beta2 < 1, "between 0 and 1")
        self._require("n_held_out", self.n_held_out >= 1, "1 or more")
        self._require("d_model", self.d_model % self.n_heads == 0, f"a multiple of n_heads ({self.n_heads})")
        solved = self.stop_when_solved
        self._require("stop_when_solved", solved is None or 0 < solved <= 1, "above 0 and up to 1, or null")
        parse_graph(self.graph)
        _ = self.task
        if self.way.n_added(1) and self.architecture is Architecture.PRETRAINED:
            raise ValueError(
                f"objective: got {self.objective} with architecture=pretrained, allowed: a model from scratch"
            )
        if (self.architecture is Architecture.PRETRAINED) != (self.pretrained is not None):
            raise ValueError(
                f"pretrained: got {self.pretrained!r} with architecture={self.architecture.value}, allowed: "
                "architecture=pretrained and pretrained=<folder or hub name>, or neither"
            )

    def _require(self, field: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ValueError(f"{field}: got {getattr(self, field)!r}, allowed: {allowed}")

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
