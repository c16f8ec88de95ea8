"""path_star: held-out answers, the cheat tests, and the heads, from one trained model."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int

from experiments.path_star.config import PathStarConfig
from experiments.path_star.knock_out import measure_knock_out
from experiments.path_star.lookup import measure_lookup
from experiments.path_star.models import first_only_model, trained_model
from experiments.path_star.subject import Subject
from harness.measure.intervals import Interval, wilson
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.models.lazy import lazy_model
from harness.models.loaded import LoadedModel
from harness.path_star.answering import answer, answers_right, nodes_right
from harness.path_star.architecture import make_codec
from harness.path_star.codec import Codec
from harness.path_star.encoded import Rows
from harness.path_star.graphs import StarGraphs
from harness.path_star.material import answer_order, encode, held_out_graphs
from harness.path_star.ways.first_only import FirstOnly
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
    rows = encode(graphs, codec, exp.way.is_reversed)
    subject = Subject(exp, graphs, rows, codec, boot_folder(run, trained.folder))
    try:
        with run.timer("answers"):
            answered = _answer_all(run, subject)
        with run.timer("heads"):
            planning = subject.where_it_plans()
            lookup, without = measure_lookup(run, planning), measure_knock_out(run, planning)
    finally:
        subject.model.close()
    metrics = _metrics(subject, answered)
    second: dict[str, Any] = {}
    metrics["clever_hans/first_only"] = None
    if first_only is not None:
        metrics |= _first_step_alone(run, subject, first_only.folder).metrics("clever_hans/first_only")
        second = first_only.training
    metrics |= lookup.metrics | without.metrics
    details = {
        "task": exp.task.label,
        "objective": exp.objective,
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
    config = ModelConfig(str(folder.absolute()), dtype=run.config.model.dtype, device=run.config.model.device)
    return lazy_model(resolve_identity(config), config, run.store)


def _answer_all(run: Run[PathStarConfig], subject: Subject) -> dict[str, np.ndarray]:
    batches = [
        Batch(f"graphs-{first:06d}", slice(first, min(first + SHARD, len(subject.rows))), SHARD)
        for first in range(0, len(subject.rows), SHARD)
    ]
    shards = compute_batches(run, batches, lambda batch: _answers(subject.part(batch.work)), _records, "graphs")
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def _answers(subject: Subject) -> dict[str, np.ndarray]:
    """Of some graphs: whole answers, predictions with the truth before them, and answers that go on from a given node.

    What only some ways of answering tell stands under the name of its metric.
    """
    codec, rows = subject.codec, subject.rows
    forced = subject.forced()
    written = answer(subject.way, subject.model.forward, rows)
    forced_first = _read(codec, forced, rows)[:, 1]
    found = {
        **written.measured,
        "generated": _read(codec, written.tokens, rows),
        "exact": answers_right(written.tokens, rows),
        "generated_right": nodes_right(written.tokens, rows),
        "forced_right": nodes_right(forced, rows),
        "forced_first": forced_first,
        "on_an_arm": _on_an_arm(subject, forced_first),
    }
    return found | _led(subject) if subject.way.reads_answer else found


def _on_an_arm(subject: Subject, node: Int[np.ndarray, " graph"]) -> Bool[np.ndarray, " graph"]:
    """Whether the deciding node is a neighbour of the answer's first: of the start, or reversed of the goal."""
    arms = subject.graphs.arms
    neighbours = arms[:, :1, -2] if subject.way.is_reversed else arms[:, :, 1]
    on_one: np.ndarray = (node[:, None] == neighbours).any(axis=1)
    return on_one


def _led(subject: Subject) -> dict[str, np.ndarray]:
    """Answers after the right deciding node, and after the node of a wrong arm in its place."""
    forward, codec, rows = subject.model.forward, subject.codec, subject.rows
    given = answer(subject.way, forward, rows, n_given=2).tokens
    wrong = wrong_arm_rows(subject.graphs, codec, subject.way.is_reversed)
    led = answer(subject.way, forward, wrong, n_given=2).tokens
    return {
        "given_first": answers_right(given, rows),
        "wrong_first_right": nodes_right(led, wrong),
        "after_wrong_first": _read(codec, led, wrong),
        "wrong_arm": answer_order(wrong_arm(subject.graphs), subject.way.is_reversed),
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


def _read(codec: Codec, written: Int[np.ndarray, "row pos"], rows: Rows) -> Int[np.ndarray, "row node"]:
    """The node numbers of the answers; -1 where something else stands."""
    n_nodes = rows.node_start.shape[1]
    found = np.full((len(rows), n_nodes), -1, dtype=np.int64)
    for row in range(len(rows)):
        nodes = codec.read_answer(written[row, rows.prompt_length[row] : rows.length[row]].tolist())[:n_nodes]
        found[row, : len(nodes)] = nodes
    return found


def _records(batch: Batch[slice], arrays: Mapping[str, np.ndarray]) -> Iterable[dict[str, Any]]:
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
    metrics |= _share(found["exact"]).metrics("exact_match")
    for node in range(found["forced_right"].shape[1]):
        metrics |= _share(found["generated_right"][:, node]).metrics(f"position_{node + 1}/generated")
        metrics |= _share(found["forced_right"][:, node]).metrics(f"position_{node + 1}/teacher_forced")
    metrics |= _share(found["on_an_arm"]).metrics("first_step/on_an_arm")
    for name, told in found.items():
        if "/" in name:
            metrics |= _share(told).metrics(name) if told.dtype == bool else {name: float(told.mean())}
    tests = ("given_first", "wrong_first_followed", "wrong_first_inner", "wrong_first_ends_at_goal")
    if "given_first" not in found:
        return metrics | {f"clever_hans/{name}": None for name in tests}
    right = found["wrong_first_right"]
    true_end = answer_order(subject.graphs, subject.way.is_reversed)[:, -1]
    values = (
        found["given_first"],
        right.all(axis=1),
        right[:, :-1].all(axis=1),
        found["after_wrong_first"][:, -1] == true_end,
    )
    for name, value in zip(tests, values, strict=True):
        metrics |= _share(value).metrics(f"clever_hans/{name}")
    if right.shape[1] < 4:
        # Nothing is generated between the given nodes and the last one.
        metrics["clever_hans/wrong_first_inner"] = None
    return metrics


def _first_step_alone(run: Run[PathStarConfig], subject: Subject, folder: Path) -> Interval:
    """How often the model that was trained on nothing else gets the first step right."""
    model = boot_folder(run, folder)
    try:
        forced = replace(subject, exp=replace(subject.exp, objective=FirstOnly.name), model=model).forced()
    finally:
        model.close()
    return _share(nodes_right(forced, subject.rows)[:, 1])


def _share(right: Bool[np.ndarray, " graph"]) -> Interval:
    return wilson(int(right.sum()), len(right))
