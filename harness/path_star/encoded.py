"""Graphs as token ids: the prompt, the answer, and where every node and edge stands."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True)
class Rows:
    """Prompt and answer of every graph, padded on the right to one width.

    `prompt_length` counts the prompt's tokens, its `=` included; `length` counts prompt and answer. `node_start` and
    `node_stop` bound the tokens of each node of the answer, in the answer's own order; `edge_at` is the position of
    the (last) token of parent and child of every listed edge; `goal_at` that of the goal in the question.
    """

    tokens: Int[np.ndarray, "row pos"]
    prompt_length: Int[np.ndarray, " row"]
    length: Int[np.ndarray, " row"]
    node_start: Int[np.ndarray, "row node"]
    node_stop: Int[np.ndarray, "row node"]
    edge_at: Int[np.ndarray, "row edge end"]
    goal_at: Int[np.ndarray, " row"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def sizes(self) -> tuple[int, int]:
        """Tokens of the prompt and nodes of the answer, of rows that are all alike: one token a node."""
        return int(self.prompt_length[0]), self.node_start.shape[1]

    @property
    def in_answer(self) -> Bool[np.ndarray, "row pos"]:
        """Which positions belong to the answer."""
        at = np.arange(self.tokens.shape[1])
        return (at >= self.prompt_length[:, None]) & (at < self.length[:, None])

    def __getitem__(self, rows: slice | np.ndarray) -> "Rows":
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})
