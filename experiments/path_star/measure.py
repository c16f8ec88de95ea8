"""path_star: held-out answers, the cheat tests, and the heads, from one trained model."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int

from experiments.path_star.config import PathStarConfig
from experiments.path_star.knock_out import measure_knock_out
from experiments.path_star.lookup import measure_lookup
from experiments.path_star.parts import first_only_model, trained_model
from experiments.path_star.subject import Subject
from harness.measure.intervals import Interval, wilson
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.models.lazy import lazy_model
from harness.models.loaded import LoadedModel
from harness.path_star.answering import answer, answers_right, nodes_right, said_when_forced
from harness.path_star.architecture import make_codec
from harness.path_star.codec import Codec
from harness.path_star.encoded import Rows
from harness.path_star.graphs import StarGraphs
from harness.path_star.material import answer_order, encode, held_out_graphs
from harness.path_star.recipe import Decoding
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run

SHARD = 500
"""Graphs kept or lost together when a run is killed."""


def measure(run: Run[PathStarConfig]) -> Outcome:
    """Everything that is measured on one model."""
    exp: PathStarConfig = run.exp
    with run.timer("train"):
        trained = trained_model(run.config)
        first_only = first_only_model(run.config)
    torch.set_num_threads(exp.threads)
    codec = make_codec(exp)
    graphs = held_out_graphs(exp)[: exp.n_test]
    rows = encode(graphs, codec, exp.objective.is_reversed)
    subject = Subject(exp, graphs, rows, codec, boot_folder(run, trained.folder))
    try:
        with run.timer("answers"):
            answered = _ask(run, subject)
        with run.timer("heads"):
            planning = subject.where_it_plans()
            lookup, without = measure_lookup(run, planning), measure_knock_out(run, planning)
    finally:
        subject.model.close()
    metrics = _metrics(subject, answered)
    second: dict[str, Any] = {}
    metrics["clever_hans/first_only"] = None
    if first_only is not None:
        metrics |= _named("clever_hans/first_only", _first_step_alone(run, subject, first_only.folder))
        second = first_only.training
    metrics |= lookup.metrics | without.metrics
    details = {
        "task": exp.task.label,
        "objective": exp.objective.value,
        "architecture": exp.architecture.value,
        "n_test": len(graphs),
        "n_values": exp.n_values,
        "training": trained.training,
        "first_only": second,
        **lookup.details,
        **without.details,
    }
    return Outcome(metrics, lookup.arrays | without.arrays, details)


def boot_folder(run: Run[PathStarConfig], folder: Path) -> LoadedModel:
    """A trained model, booted like any other of the harness, where and how the config's `model` says."""
    asked = run.config.model
    config = ModelConfig(name=str(folder.absolute()), dtype=asked.dtype, device=asked.device)
    return lazy_model(resolve_identity(config), config, run.store)


def _ask(run: Run[PathStarConfig], subject: Subject) -> dict[str, np.ndarray]:
    batches = [
        Batch(f"graphs-{first:06d}", slice(first, min(first + SHARD, len(subject.rows))), SHARD)
        for first in range(0, len(subject.rows), SHARD)
    ]
    shards = compute_batches(
        run, batches, lambda batch: _answers(subject.part(batch.work)), lambda b, a: _records(subject, b, a), "graphs"
    )
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def _answers(subject: Subject) -> dict[str, np.ndarray]:
    """What the model says of some graphs: whole answers, forced ones, and after a given node."""
    forward, codec, rows = subject.model.forward, subject.codec, subject.rows
    forced = said_when_forced(forward, rows, subject.decoding, codec.dummy_id)
    free, own_order = _written(subject)
    found = own_order | {
        "generated": _read(codec, free, rows),
        "exact": answers_right(free, rows),
        "generated_right": nodes_right(free, rows),
        "forced_right": nodes_right(forced, rows),
        "forced_first": _read(codec, forced, rows)[:, 1],
        "on_an_arm": _on_an_arm(subject, _read(codec, forced, rows)[:, 1]),
    }
    if subject.decoding is not Decoding.PARALLEL:
        found |= _led(subject)
    return found


def _written(subject: Subject) -> tuple[Int[np.ndarray, "row pos"], dict[str, np.ndarray]]:
    """The model's own answers, and in which order it wrote them where that is its choice."""
    codec = subject.codec
    written = answer(subject.model.forward, subject.rows, subject.decoding, codec.pad_id, codec.dummy_id)
    facts = dict(written.facts)
    if "scratch" in facts:
        facts["scratch_right"] = (facts.pop("scratch") == subject.graphs.path[:, ::-1]).all(axis=1)
    return written.said, facts


def _on_an_arm(subject: Subject, said: Int[np.ndarray, " graph"]) -> Bool[np.ndarray, " graph"]:
    """Whether the deciding node is a neighbour of the answer's first: of the start, or reversed of the goal."""
    arms = subject.graphs.arms
    neighbours = arms[:, :1, -2] if subject.exp.objective.is_reversed else arms[:, :, 1]
    on_one: np.ndarray = (said[:, None] == neighbours).any(axis=1)
    return on_one


def _led(subject: Subject) -> dict[str, np.ndarray]:
    """Answers after the right deciding node, and after the node of a wrong arm in its place."""
    forward, codec, rows = subject.model.forward, subject.codec, subject.rows

    def go_on(begun: Rows) -> Int[np.ndarray, "row pos"]:
        return answer(forward, begun, subject.decoding, codec.pad_id, codec.dummy_id, n_given=2).said

    given = go_on(rows)
    wrong = wrong_arm_rows(subject.graphs, codec, subject.exp.objective.is_reversed)
    led = go_on(wrong)
    return {
        "given_first": answers_right(given, rows),
        "wrong_first_right": nodes_right(led, wrong),
        "after_wrong_first": _read(codec, led, wrong),
        "wrong_arm": answer_order(wrong_arm(subject.graphs), subject.exp.objective.is_reversed),
    }


def wrong_arm(graphs: StarGraphs) -> StarGraphs:
    """The same graphs with their first wrong arm as the path."""
    arms = graphs.arms.copy()
    arms[:, [0, 1]] = arms[:, [1, 0]]
    return StarGraphs(graphs.task, arms, graphs.edges)


def wrong_arm_rows(graphs: StarGraphs, codec: Codec, is_reversed: bool) -> Rows:
    """The true question, and for an answer the nodes of a wrong arm; the answer's first node stays the true one.

    Forward that is the start, which all arms share. Reversed it is the goal, from which no edge leads to the arm: the
    second node puts the model on it all the same.
    """
    answers = answer_order(wrong_arm(graphs), is_reversed).copy()
    answers[:, 0] = answer_order(graphs, is_reversed)[:, 0]
    return codec.encode(graphs, answers)


def _read(codec: Codec, said: Int[np.ndarray, "row pos"], rows: Rows) -> Int[np.ndarray, "row node"]:
    """The node numbers of the answers; -1 where something else stands."""
    n_nodes = rows.node_start.shape[1]
    found = np.full((len(rows), n_nodes), -1, dtype=np.int64)
    for row in range(len(rows)):
        nodes = codec.read_answer(said[row, rows.prompt_length[row] : rows.length[row]].tolist())[:n_nodes]
        found[row, : len(nodes)] = nodes
    return found


def _records(subject: Subject, batch: Batch[slice], arrays: Mapping[str, np.ndarray]) -> Iterable[dict[str, Any]]:
    del subject
    led = "wrong_arm" in arrays
    for row, graph in enumerate(range(batch.work.start, batch.work.stop)):
        yield {
            "item": f"graph/{graph}",
            "graph": graph,
            "exact": bool(arrays["exact"][row]),
            "forced_first": int(arrays["forced_first"][row]),
            "generated": arrays["generated"][row].tolist(),
            "wrong_arm": arrays["wrong_arm"][row].tolist() if led else None,
            "after_wrong_first": arrays["after_wrong_first"][row].tolist() if led else None,
        }


def _metrics(subject: Subject, found: Mapping[str, np.ndarray]) -> dict[str, float | int | str | None]:
    metrics: dict[str, float | int | str | None] = {"chance": subject.exp.task.chance}
    metrics |= _named("exact_match", _share(found["exact"]))
    for node in range(found["forced_right"].shape[1]):
        metrics |= _named(f"position_{node + 1}/generated", _share(found["generated_right"][:, node]))
        metrics |= _named(f"position_{node + 1}/teacher_forced", _share(found["forced_right"][:, node]))
    metrics |= _named("first_step/on_an_arm", _share(found["on_an_arm"]))
    if "round_of" in found:
        rounds = found["round_of"].mean(axis=0)
        metrics |= {f"position_{node}/round": float(value) for node, value in enumerate(rounds, start=1)}
    if "scratch_right" in found:
        metrics |= _named("scratchpad/exact_match", _share(found["scratch_right"]))
    if "from_goal" in found:
        metrics |= _named("either_end/from_goal", _share(found["from_goal"]))
    tests = ("given_first", "wrong_first_followed", "wrong_first_inner", "wrong_first_ends_at_goal")
    if "given_first" not in found:
        return metrics | {f"clever_hans/{name}": None for name in tests}
    right = found["wrong_first_right"]
    true_end = answer_order(subject.graphs, subject.exp.objective.is_reversed)[:, -1]
    values = (
        found["given_first"],
        right.all(axis=1),
        right[:, :-1].all(axis=1),
        found["after_wrong_first"][:, -1] == true_end,
    )
    for name, value in zip(tests, values, strict=True):
        metrics |= _named(f"clever_hans/{name}", _share(value))
    if right.shape[1] < 4:
        # Nothing is generated between the given nodes and the last one.
        metrics["clever_hans/wrong_first_inner"] = None
    return metrics


def _first_step_alone(run: Run[PathStarConfig], subject: Subject, folder: Path) -> Interval:
    """How often the model that was trained on nothing else gets the first step right."""
    model = boot_folder(run, folder)
    try:
        forced = said_when_forced(model.forward, subject.rows, Decoding.AUTOREGRESSIVE, subject.codec.dummy_id)
    finally:
        model.close()
    return _share(nodes_right(forced, subject.rows)[:, 1])


def _share(right: Bool[np.ndarray, " graph"]) -> Interval:
    return wilson(int(right.sum()), len(right))


def _named(name: str, interval: Interval) -> dict[str, float | int | str | None]:
    return {name: interval.mean, f"{name}/ci_low": interval.low, f"{name}/ci_high": interval.high}
