"""The task G(d, l): star graphs with d arms, drawn at random, and which of them are the same."""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from harness.errors import FieldRejected, Rejected

_SPELLING = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")
# A block of random numbers stays small in memory however many graphs are drawn.
_MOST_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class StarTask:
    """G(d, l) over `n_values` node numbers: `degree` arms of `path_length` nodes each, the shared start included.

    Raises `FieldRejected`.
    """

    degree: int
    path_length: int
    n_values: int

    def __post_init__(self) -> None:
        for name, value in (("degree", self.degree), ("path_length", self.path_length)):
            if value < 2:
                raise FieldRejected(f"{name}: got {value}, allowed: 2 or more")
        if self.n_values < self.n_nodes:
            raise FieldRejected(
                f"n_values: got {self.n_values}, allowed: {self.n_nodes} or more, the nodes of one graph {self.label}"
            )

    @property
    def n_edges(self) -> int:
        """Edges of one graph."""
        return self.degree * (self.path_length - 1)

    @property
    def n_nodes(self) -> int:
        """Distinct nodes of one graph."""
        return self.n_edges + 1

    @property
    def chance(self) -> float:
        """How often a guess among the arms is right."""
        return 1 / self.degree

    @property
    def label(self) -> str:
        """`G(d,l)`, as the literature writes it."""
        return f"G({self.degree},{self.path_length})"

    @property
    def n_distinct(self) -> int:
        """How many different graphs there are, the order of edges and of the wrong arms aside."""
        count = 1
        for taken in range(self.n_nodes):
            count *= self.n_values - taken
        for arms in range(2, self.degree):
            count //= arms
        return count


def parse_graph(text: str) -> tuple[int, int]:
    """`"2x5"` to (2, 5); raises `FieldRejected` for anything else."""
    match = _SPELLING.fullmatch(text.strip())
    if match is None or min(int(match[1]), int(match[2])) < 2:
        raise FieldRejected(
            f"graph: got {text!r}, allowed: DxL, D arms of L nodes (start and goal included), both 2 or more, e.g. 2x5"
        )
    return int(match[1]), int(match[2])


@dataclass(frozen=True)
class StarGraphs:
    """Graphs of one task. Arm 0 is the path to the goal; every arm begins with the start node."""

    task: StarTask
    arms: Int[np.ndarray, "graph arm node"]
    edges: Int[np.ndarray, "graph edge end"]
    """Parent and child of every edge, in the order in which the prompt lists them."""

    def __len__(self) -> int:
        return len(self.arms)

    @property
    def path(self) -> Int[np.ndarray, "graph node"]:
        """From start to goal."""
        return self.arms[:, 0]

    @property
    def start(self) -> Int[np.ndarray, " graph"]:
        """The node all arms share."""
        return self.arms[:, 0, 0]

    @property
    def goal(self) -> Int[np.ndarray, " graph"]:
        """The leaf that the path leads to."""
        return self.arms[:, 0, -1]

    def __getitem__(self, rows: slice | np.ndarray) -> "StarGraphs":
        return StarGraphs(self.task, self.arms[rows], self.edges[rows])

    def keys(self) -> Shaped[np.ndarray, " graph"]:
        """One comparable value per graph: equal for graphs of the same arms and goal, in whatever order of edges."""
        others = self.arms[:, 1:, 1:]
        # The nodes of a graph are distinct: the first node decides the order of the wrong arms.
        order = np.argsort(others[:, :, 0], axis=1)
        others = np.take_along_axis(others, order[:, :, None], axis=1)
        n_others = others.shape[1] * others.shape[2]
        flat = np.concatenate([self.path, others.reshape(len(self), n_others)], axis=1)
        flat = np.ascontiguousarray(flat.astype(np.int32))
        return flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()


def draw_graphs(task: StarTask, n: int, seed: int, exclude: StarGraphs | None = None) -> StarGraphs:
    """`n` different graphs, uniform over node numbers and edge orders, none of them in `exclude`.

    `seed` varies nodes and order of edges. Raises `Rejected` where the task has fewer graphs than that. `exclude` holds
    graphs of the same task.
    """
    seen = np.unique(exclude.keys()) if exclude is not None else None
    n_left = task.n_distinct - (0 if seen is None else len(seen))
    if n > n_left:
        besides = "" if seen is None else f" besides the {len(seen)} held out"
        raise Rejected(
            f"n_train, n_test: {n} different graphs are asked for{besides}, but {task.label} with "
            f"{task.n_values} node numbers has only {n_left}; allowed: fewer graphs, or a larger n_values"
        )
    rng = np.random.default_rng(seed)
    found = _sample(task, 0, rng)
    while len(found) < n:
        n_missing = n - len(found)
        # How many draws it takes to find one that is new; few graphs may be left of a small task.
        per_graph = task.n_distinct / (n_left - len(found))
        more = _sample(task, min(int(n_missing * per_graph) + 16, _MOST_AT_ONCE), rng)
        found = _join(found, more[~np.isin(more.keys(), seen)] if seen is not None else more)
        _, first = np.unique(found.keys(), return_index=True)
        found = found[np.sort(first)]
    return found[:n]


def _join(a: StarGraphs, b: StarGraphs) -> StarGraphs:
    return StarGraphs(a.task, np.concatenate([a.arms, b.arms]), np.concatenate([a.edges, b.edges]))


def _sample(task: StarTask, n: int, rng: np.random.Generator) -> StarGraphs:
    """Independent graphs, some of which may be the same."""
    nodes = rng.random((n, task.n_values)).argsort(axis=1)[:, : task.n_nodes]
    inner = nodes[:, 1:].reshape(n, task.degree, task.path_length - 1)
    start = np.broadcast_to(nodes[:, :1, None], (n, task.degree, 1))
    arms = np.concatenate([start, inner], axis=2).astype(np.int32)
    return StarGraphs(task, arms, shuffle_edges(arms, rng))


def shuffle_edges(
    arms: Int[np.ndarray, "graph arm node"], rng: np.random.Generator
) -> Int[np.ndarray, "graph edge end"]:
    """All edges of the arms, each parent first, every graph's in an order of its own."""
    n_graphs, degree, path_length = arms.shape
    edges = np.stack([arms[:, :, :-1], arms[:, :, 1:]], axis=-1).reshape(n_graphs, degree * (path_length - 1), 2)
    order = rng.random(edges.shape[:2]).argsort(axis=1)
    return np.take_along_axis(edges, order[:, :, None], axis=1)
