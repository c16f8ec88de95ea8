"""Getting answers out of a model: token by token, or all at once; and what it says when the truth is fed to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Int

from harness.path_star import either_end, scratchpad, unmasking
from harness.path_star.encoded import Rows
from harness.path_star.forward import Forward
from harness.path_star.recipe import Decoding

ROWS_PER_PASS = 512


def generate(
    forward: Forward,
    rows: Rows,
    pad_id: int,
    begin: Int[np.ndarray, " row"] | None = None,
    rows_per_pass: int = ROWS_PER_PASS,
) -> Int[np.ndarray, "row pos"]:
    """`rows.tokens` with everything from `begin` on (default: the whole answer) replaced by greedy choices.

    As many tokens are chosen as the true answer has.
    """
    parts = []
    begin = rows.prompt_length if begin is None else begin
    for first in range(0, len(rows), rows_per_pass):
        part = slice(first, first + rows_per_pass)
        parts.append(_generate(forward, rows[part], begin[part], pad_id))
    return np.concatenate(parts)


def _generate(forward: Forward, rows: Rows, begin: Int[np.ndarray, " row"], pad_id: int) -> Int[np.ndarray, "row pos"]:
    tokens = torch.from_numpy(rows.tokens.copy())
    at = torch.arange(tokens.shape[1])
    start, length = torch.from_numpy(begin), torch.from_numpy(rows.length)
    tokens[at >= start[:, None]] = pad_id
    row = torch.arange(len(rows))
    for step in range(int((length - start).max())):
        place = (start + step).clamp(max=tokens.shape[1] - 1)
        # Rows of unequal length: what stands to the right of a row's place is not looked at by a causal model.
        logits = forward(tokens[:, : int(place.max())]).cpu()
        chosen = logits[row, place - 1].argmax(dim=-1)
        is_open = start + step < length
        tokens[row[is_open], place[is_open]] = chosen[is_open]
    return tokens.numpy()


def said_when_forced(
    forward: Forward, rows: Rows, decoding: Decoding, dummy_id: int, rows_per_pass: int = ROWS_PER_PASS
) -> Int[np.ndarray, "row pos"]:
    """At every position of the answer the model's first choice when what stands before it is the truth.

    With parallel decoding what stands before it are dummies, so this is the answer itself. A model that chooses the
    order of its nodes is asked from the start; of one with a scratchpad the truth of that is given, too. Positions of
    the prompt hold the prompt.
    """
    parts = []
    for first in range(0, len(rows), rows_per_pass):
        part = rows[first : first + rows_per_pass]
        if decoding is Decoding.EITHER_END:
            parts.append(either_end.said_from_start(forward, part, dummy_id + 1))
            continue
        if decoding is Decoding.UNMASKING:
            parts.append(unmasking.said_from_start(forward, part, dummy_id))
            continue
        if decoding is Decoding.SCRATCHPAD:
            parts.append(scratchpad.said_when_forced(forward, part))
            continue
        tokens = torch.from_numpy(part.tokens.copy())
        answer = torch.from_numpy(in_answer(part))
        if decoding is Decoding.PARALLEL:
            tokens[answer] = dummy_id
        chosen = forward(tokens[:, :-1]).argmax(dim=-1).cpu()
        said = torch.from_numpy(part.tokens.copy())
        said[:, 1:] = torch.where(answer[:, 1:], chosen, said[:, 1:])
        parts.append(said.numpy())
    return np.concatenate(parts)


@dataclass(frozen=True)
class Answers:
    """What a model wrote, and what else its way of writing tells: `from_goal`, `round_of` or `scratch`, a row each."""

    said: Int[np.ndarray, "row pos"]
    """The rows with the model's nodes."""
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)


def answer(forward: Forward, rows: Rows, decoding: Decoding, pad_id: int, dummy_id: int, n_given: int = 0) -> Answers:
    """The model's own answers, in the way its objective asks for them, behind the rows' first `n_given` nodes."""
    parts = [
        _answer(forward, rows[first : first + ROWS_PER_PASS], decoding, pad_id, dummy_id, n_given)
        for first in range(0, len(rows), ROWS_PER_PASS)
    ]
    facts = {name: np.concatenate([part.facts[name] for part in parts]) for name in parts[0].facts}
    return Answers(np.concatenate([part.said for part in parts]), facts)


def _answer(forward: Forward, rows: Rows, decoding: Decoding, pad_id: int, dummy_id: int, n_given: int) -> Answers:
    if decoding is Decoding.PARALLEL:
        return Answers(said_when_forced(forward, rows, decoding, dummy_id))
    if decoding is Decoding.EITHER_END:
        written = either_end.generate(forward, rows, dummy_id + 1, n_given)
        return Answers(written.said, {"from_goal": written.from_goal})
    if decoding is Decoding.UNMASKING:
        unmasked = unmasking.generate(forward, rows, dummy_id, n_given)
        return Answers(unmasked.said, {"round_of": unmasked.round_of})
    if decoding is Decoding.SCRATCHPAD:
        thought = scratchpad.generate(forward, rows, n_given)
        return Answers(thought.said, {"scratch": thought.scratch})
    return Answers(generate(forward, rows, pad_id, rows.node_stop[:, n_given - 1] if n_given else None))


def in_answer(rows: Rows) -> Bool[np.ndarray, "row pos"]:
    """Which positions belong to the answer."""
    at = np.arange(rows.tokens.shape[1])
    return (at >= rows.prompt_length[:, None]) & (at < rows.length[:, None])


def nodes_right(said: Int[np.ndarray, "row pos"], rows: Rows) -> Bool[np.ndarray, "row node"]:
    """Whether every token of a node is the true one, for each node of the answer."""
    at = np.arange(rows.tokens.shape[1])
    wrong = said != rows.tokens
    inside = (at >= rows.node_start[..., None]) & (at < rows.node_stop[..., None])
    right: np.ndarray = ~(inside & wrong[:, None, :]).any(axis=-1)
    return right


def answers_right(said: Int[np.ndarray, "row pos"], rows: Rows) -> Bool[np.ndarray, " row"]:
    """Whether the whole answer is the true one, separators included."""
    right: np.ndarray = ~((said != rows.tokens) & in_answer(rows)).any(axis=-1)
    return right
