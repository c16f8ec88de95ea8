"""From graphs to token ids and back: one token per node number, or text through a pretrained tokenizer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from harness.errors import Rejected
from harness.models.tokenizers import Tokenizer
from harness.path_star.encoded import Rows
from harness.path_star.graphs import StarGraphs, StarTask


class Codec(ABC):
    """How a task is written in tokens."""

    task: StarTask
    vocab_size: int
    dummy_id: int
    """What a teacherless model reads in place of the answer."""
    pad_id: int
    """Pads rows on the right, where no position of the row itself looks in a causal model."""

    @property
    def first_sign(self) -> int:
        """The sign that the answer is written from the start, where there is one; the next is that for the goal."""
        return self.dummy_id + 1

    @abstractmethod
    def encode(self, graphs: StarGraphs, answers: Int[np.ndarray, "graph node"]) -> Rows:
        """Prompts followed by `answers` (node numbers)."""

    @abstractmethod
    def read_answer(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The node numbers that generated tokens spell; -1 for what is none."""

    @abstractmethod
    def name_of(self, token: int) -> str:
        """A token as a reader sees it."""


class NumeralCodec(Codec):
    """The authors' tokenizer for models trained from scratch: a node number is its own id, `|` `=` `/` `$` follow."""

    def __init__(self, task: StarTask, has_signs: bool = False) -> None:
        """With signs there are two more tokens, which say from which end an answer is written."""
        self.task = task
        n = task.n_values
        self.bar, self.equals, self.slash, self.dummy_id = n, n + 1, n + 2, n + 3
        self.pad_id = self.equals
        self.vocab_size = n + 4 + (2 if has_signs else 0)

    def encode(self, graphs: StarGraphs, answers: Int[np.ndarray, "graph node"]) -> Rows:
        """`u v | u v | ... u v / start goal =` and the answer: 3 * edges + 3 tokens, then one per node."""
        _check_values(self.task, graphs)
        n, n_edges = len(graphs), graphs.task.n_edges
        edges = np.full((n, n_edges, 3), self.bar)
        edges[:, :, :2] = graphs.edges
        edges[:, -1, 2] = self.slash
        question = np.stack([graphs.start, graphs.goal, np.full(n, self.equals)], axis=1)
        tokens = np.concatenate([edges.reshape(n, -1), question, answers], axis=1).astype(np.int64)
        prompt = 3 * n_edges + 3
        node_start = np.broadcast_to(prompt + np.arange(answers.shape[1]), answers.shape)
        at = 3 * np.arange(n_edges)[:, None] + np.arange(2)
        return Rows(
            tokens=tokens,
            prompt_length=np.full(n, prompt),
            length=np.full(n, tokens.shape[1]),
            node_start=node_start,
            node_stop=node_start + 1,
            edge_at=np.broadcast_to(at, (n, n_edges, 2)),
            goal_at=np.full(n, prompt - 2),
        )

    def read_answer(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """One node per token."""
        return tuple(int(token) if 0 <= token < self.task.n_values else -1 for token in tokens)

    def name_of(self, token: int) -> str:
        """The number, or the sign."""
        signs = {self.bar: "|", self.equals: "=", self.slash: "/", self.dummy_id: "$",
                 self.first_sign: ">", self.first_sign + 1: "<"}  # fmt: skip
        return signs.get(int(token), str(int(token)))


class TextCodec(Codec):
    """The file's own text through a pretrained tokenizer.

    Nodes and signs are encoded piece by piece, so that a node has the same tokens wherever it stands and its place in
    the row is known.
    """

    def __init__(self, task: StarTask, tokenizer: Tokenizer, vocab_size: int) -> None:
        self.task, self.tokenizer, self.vocab_size = task, tokenizer, vocab_size
        self._node = [tuple(tokenizer.encode(str(value))) for value in range(task.n_values)]
        self._value = {str(value): value for value in range(task.n_values)}
        self._sign = {sign: tuple(tokenizer.encode(sign)) for sign in (",", "|", "/", "=", "$")}
        empty = [sign for sign, ids in self._sign.items() if not ids]
        empty += [str(value) for value, ids in enumerate(self._node) if not ids]
        if empty:
            raise Rejected(f"model.name: its tokenizer has no tokens for {empty[0]!r}, which a path-star prompt needs")
        if len(set(self._node)) < len(self._node):
            raise Rejected("model.name: its tokenizer writes two node numbers with the same tokens")
        self.dummy_id = self._sign["$"][0]
        self.pad_id = self._sign["="][-1]

    def encode(self, graphs: StarGraphs, answers: Int[np.ndarray, "graph node"]) -> Rows:
        """`u,v|u,v|...|u,v/start,goal=` and `n1,n2,...` as text."""
        _check_values(self.task, graphs)
        columns = (graphs.edges, graphs.start, graphs.goal, answers)
        rows = [self._encode_one(*graph) for graph in zip(*(column.tolist() for column in columns), strict=True)]
        width = max(len(tokens) for tokens, *_ in rows)
        tokens = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        for row, (ids, *_) in enumerate(rows):
            tokens[row, : len(ids)] = ids
        return Rows(
            tokens=tokens,
            prompt_length=np.array([prompt for _, prompt, *_ in rows]),
            length=np.array([len(ids) for ids, *_ in rows]),
            node_start=np.array([[start for start, _ in spans] for _, _, spans, _, _ in rows]),
            node_stop=np.array([[stop for _, stop in spans] for _, _, spans, _, _ in rows]),
            edge_at=np.array([edges for *_, edges, _ in rows]),
            goal_at=np.array([goal for *_, goal in rows]),
        )

    def _encode_one(
        self, edges: list[list[int]], start: int, goal: int, answer: list[int]
    ) -> tuple[list[int], int, list[tuple[int, int]], list[tuple[int, int]], int]:
        ids: list[int] = []
        edge_at = []
        for number, (parent, child) in enumerate(edges):
            ids += self._node[parent]
            parent_at = len(ids) - 1
            ids += self._sign[","] + self._node[child]
            edge_at.append((parent_at, len(ids) - 1))
            ids += self._sign["|" if number < len(edges) - 1 else "/"]
        ids += self._node[start] + self._sign[","] + self._node[goal]
        goal_at = len(ids) - 1
        ids += self._sign["="]
        prompt = len(ids)
        spans = []
        for number, node in enumerate(answer):
            ids += self._sign[","] if number else ()
            spans.append((len(ids), len(ids) + len(self._node[node])))
            ids += self._node[node]
        return ids, prompt, spans, edge_at, goal_at

    def read_answer(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The numbers between the commas of the decoded text."""
        text = self.tokenizer.decode(list(tokens))
        return tuple(self._value.get(part.strip(), -1) for part in text.split(","))

    def name_of(self, token: int) -> str:
        """The token's text."""
        return self.tokenizer.token_text(int(token))


def _check_values(task: StarTask, graphs: StarGraphs) -> None:
    # A larger node number would have the id of one of the signs.
    if graphs.task.n_values > task.n_values:
        raise ValueError(f"graphs over {graphs.task.n_values} node numbers, tokens for {task.n_values}")
