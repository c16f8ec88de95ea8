"""Graphs in the authors' file format: one line per graph, `u,v|u,v|...|u,v/start,goal=p1,p2,...,pl`."""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import Rejected
from harness.path_star.graphs import StarGraphs, StarTask
from harness.tokens.text import shown

# A larger number would have to be a token of its own in a vocabulary of this size.
LARGEST_NODE = 999_999
_LONGEST_LINE = 1 << 20

_NODE = re.compile(r"0|[1-9][0-9]{0,5}")
_PAIR = rf"(?:{_NODE.pattern}),(?:{_NODE.pattern})"
_LINE = re.compile(rf"{_PAIR}(?:\|{_PAIR})*/{_PAIR}=(?:{_NODE.pattern})(?:,(?:{_NODE.pattern}))+")
_ONE_COMMA = str.maketrans("|/=", ",,,")
_GRAMMAR = "u,v|u,v|.../start,goal=n1,n2,..."


def read_graphs(path: Path, task: StarTask | None = None, n_values: int | None = None) -> StarGraphs:
    """All graphs of a file; every line has to be a graph of the same task.

    The task is `task`, or what the first line is (with `n_values` node numbers, or just as many as occur). The order of
    the edges is kept; the wrong arms come in the order in which the edges first mention them. Raises `Rejected` at
    the first line that is anything else, naming file and line.
    """
    if task is not None:
        if n_values is not None:
            raise ValueError("n_values: given beside a task, which states its own")
        n_values = task.n_values
    arms, edges = array("i"), array("i")
    shape = None if task is None else _Shape(task.degree, task.path_length)
    try:
        for number, line in _lines(path):
            try:
                parts = _parse(line, n_values)
                shape = shape or parts.shape()
                arms.extend(_arms(parts, shape))
            except _BadLine as error:
                raise Rejected(f"{path}, line {number}: {error}") from None
            edges.extend(parts.edges)
    except OSError as error:
        raise Rejected(f"{path}: it cannot be read ({error.strerror or error}); allowed: a file of graphs") from error
    if shape is None:
        raise Rejected(f"{path}: it is empty, allowed: one graph per line, {_GRAMMAR}")
    flat = np.array(arms, dtype=np.int32)
    if task is None:
        n_values = int(flat.max()) + 1 if n_values is None else n_values
        task = StarTask(shape.degree, shape.path_length, n_values)
    return StarGraphs(
        task,
        flat.reshape(-1, shape.degree, shape.path_length),
        np.array(edges, dtype=np.int32).reshape(-1, shape.n_edges, 2),
    )


def graph_lines(graphs: StarGraphs) -> Iterator[str]:
    """The line of every graph, without its line end."""
    for edges, path in zip(graphs.edges.tolist(), graphs.path.tolist(), strict=True):
        listed = "|".join(f"{parent},{child}" for parent, child in edges)
        yield f"{listed}/{path[0]},{path[-1]}={','.join(map(str, path))}"


def overlap(a: StarGraphs, b: StarGraphs) -> int:
    """How many graphs of `a` are also in `b`, in whatever order they list their edges."""
    return int(_is_in(a, b).sum())


def without(a: StarGraphs, b: StarGraphs) -> StarGraphs:
    """The graphs of `a` that are not in `b`, in their order."""
    return a[~_is_in(a, b)]


def _is_in(a: StarGraphs, b: StarGraphs) -> np.ndarray:
    if a.arms.shape[1:] != b.arms.shape[1:]:
        return np.zeros(len(a), dtype=bool)
    return np.isin(a.keys(), b.keys())


class _BadLine(Exception):
    """What is wrong with a line and what is allowed."""


@dataclass(frozen=True)
class _Shape:
    """Degree and path length, before the node numbers of the whole file are known."""

    degree: int
    path_length: int

    @property
    def n_edges(self) -> int:
        return self.degree * (self.path_length - 1)

    def __str__(self) -> str:
        return f"G({self.degree},{self.path_length})"


@dataclass(frozen=True)
class _Parts:
    """A line's numbers; `edges` is parent, child, parent, child, ..."""

    edges: list[int]
    start: int
    goal: int
    path: list[int]

    def shape(self) -> _Shape:
        """The task that a line with so many edges and path nodes belongs to."""
        n_edges, steps = len(self.edges) // 2, len(self.path) - 1
        if n_edges % steps or n_edges < 2 * steps:
            raise _BadLine(
                f"got {_count(n_edges, 'edge')} and a path of {steps + 1} nodes, allowed: "
                f"d arms of {_count(steps, 'edge')} each, d 2 or more"
            )
        return _Shape(n_edges // steps, steps + 1)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of every line, without its end (`\\n` or `\\r\\n`)."""
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if len(line) == _LONGEST_LINE:
                raise Rejected(
                    f"{path}, line {number}: got a line of {_LONGEST_LINE} bytes or more, allowed: {_GRAMMAR}"
                )
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            try:
                yield number, line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise Rejected(
                    f"{path}, line {number}: got bytes that are no UTF-8 ({error.reason}), allowed: text, {_GRAMMAR}"
                ) from None


def _parse(line: str, n_values: int | None) -> _Parts:
    """The numbers of one line; raises `_BadLine` for what is no such line, or a number out of range."""
    if _LINE.fullmatch(line) is None:
        raise _BadLine(_what_is_wrong(line))
    numbers = [int(word) for word in line.translate(_ONE_COMMA).split(",")]
    if n_values is not None and max(numbers) >= n_values:
        raise _BadLine(f"got node number {max(numbers)}, allowed: 0 to {n_values - 1}")
    n_ends = 2 * (line.count("|") + 1)
    return _Parts(numbers[:n_ends], numbers[n_ends], numbers[n_ends + 1], numbers[n_ends + 2 :])


def _what_is_wrong(line: str) -> str:
    """Why a line is not of the format, where possible by its part."""
    if not line:
        return f"got an empty line, allowed: {_GRAMMAR}"
    for sign in "/=":
        if line.count(sign) != 1:
            return f"got {line.count(sign)} of {sign!r} in {shown(line)!r}, allowed: one, as in {_GRAMMAR}"
    front, _, path = line.partition("=")
    edges, slash, question = front.partition("/")
    if not slash:
        return f"got '=' before '/' in {shown(line)!r}, allowed: {_GRAMMAR}"
    named = [(f"edge {number}", edge, 2) for number, edge in enumerate(edges.split("|"), start=1)]
    for name, text, n_wanted in (*named, ("the question", question, 2), ("the path", path, None)):
        words = text.split(",")
        bad = next((word for word in words if _NODE.fullmatch(word) is None), None)
        if bad is not None:
            limits = f"0 to {LARGEST_NODE}, without sign, space or leading zero"
            return f"{name}: got {shown(bad)!r} in {shown(text)!r}, allowed: a node number, {limits}"
        if n_wanted is not None and len(words) != n_wanted:
            return f"{name}: got {shown(text)!r}, {_count(len(words), 'number')}, allowed: two"
        if n_wanted is None and len(words) < 2:
            return f"{name}: got {shown(text)!r}, one node, allowed: 2 or more"
    raise AssertionError(f"a line that is well-formed was not read: {line!r}")


def _arms(parts: _Parts, shape: _Shape) -> list[int]:
    """The nodes of all arms, one arm after the other, that of the path first; raises `_BadLine` for another graph."""
    if len(parts.edges) != 2 * shape.n_edges:
        raise _BadLine(f"got {_count(len(parts.edges) // 2, 'edge')}, allowed: {shape.n_edges}, as {shape} has")
    if len(parts.path) != shape.path_length:
        raise _BadLine(f"got a path of {len(parts.path)} nodes, allowed: {shape.path_length}, as {shape} has")
    arms = _star(parts, shape)
    wanted = next((arm for arm in arms if arm[-1] == parts.goal), None)
    if wanted is None:
        leaves = ", ".join(str(arm[-1]) for arm in arms)
        raise _BadLine(f"got goal {parts.goal}, allowed: a last node of an arm ({leaves})")
    if parts.path != wanted:
        got, true = (shown(",".join(map(str, nodes)), 80) for nodes in (parts.path, wanted))
        raise _BadLine(f"got the path {got}, allowed: {true}, the arm from {parts.start} to {parts.goal}")
    return [node for arm in (wanted, *(arm for arm in arms if arm is not wanted)) for node in arm]


def _star(parts: _Parts, shape: _Shape) -> list[list[int]]:
    """Every arm from the start to its last node, in the order in which the edges first mention them."""
    parents, children = parts.edges[::2], parts.edges[1::2]
    if (n_first := parents.count(parts.start)) != shape.degree:
        found = f"{_count(n_first, 'edge')} from start node {parts.start}"
        raise _BadLine(f"got {found}, allowed: {shape.degree}, as {shape} has")
    place: dict[int, int] = {}
    followed_by: dict[int, int] = {}
    first_nodes = []
    for at, (parent, child) in enumerate(zip(parents, children, strict=True)):
        if child == parts.start:
            raise _BadLine(f"got edge {parent},{child} into the start node, allowed: edges away from {child} only")
        if child in place and parents[place[child]] == parent:
            raise _BadLine(f"got edge {parent},{child} twice, allowed: once")
        if child in place:
            raise _BadLine(f"got node {child} with two parents, {parents[place[child]]} and {parent}, allowed: one")
        place[child] = at
        if parent == parts.start:
            first_nodes.append(child)
        elif parent in followed_by:
            raise _BadLine(f"got node {parent} with two children, {followed_by[parent]} and {child}, allowed: one")
        else:
            followed_by[parent] = child
    arms = [_follow(parts.start, node, followed_by, shape.path_length) for node in first_nodes]
    return sorted(arms, key=lambda arm: min(place[node] for node in arm[1:]))


def _follow(start: int, node: int, followed_by: dict[int, int], path_length: int) -> list[int]:
    """One arm. Where all have `path_length` nodes, no edge lies outside of them: there are just enough edges."""
    arm = [start, node]
    while len(arm) <= path_length and arm[-1] in followed_by:
        arm.append(followed_by[arm[-1]])
    if len(arm) != path_length:
        n_nodes = f"more than {path_length}" if len(arm) > path_length else len(arm)
        raise _BadLine(f"got an arm of {n_nodes} nodes, from {start} over {node}, allowed: {path_length}")
    return arm


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
