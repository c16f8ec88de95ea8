"""Run folders of path_star made up on the spot: the layout is real, the numbers are invented."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from harness.path_star.recipe import PathStarRecipe
from harness.path_star.ways.roster import find
from harness.runs.folder import RunFolder
from harness.runs.results.stored_run import StoredRun, load_run

HOSTILE = ("$x_1$ &", "\u202e|", "</script>")


@dataclass(frozen=True)
class Made:
    """What a made-up run is like."""

    graph: tuple[int, int] = (2, 4)
    objective: str = "teacher_forcing"
    exact: float = 0.5
    n_test: int = 100
    heads: bool = True
    first_only: float | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def run_id(self) -> str:
        """Stands in for the hash of everything that changes the answer."""
        key = repr((self.graph, self.objective, self.exact, self.n_test, self.heads, self.recipe, self.seed))
        return f"{np.uint32(sum(ord(c) * 31**i for i, c in enumerate(key)) % 2**32):08x}"


def _interval(name: str, mean: float) -> dict[str, float]:
    return {name: mean, f"{name}/ci_low": max(mean - 0.04, 0.0), f"{name}/ci_high": min(mean + 0.04, 1.0)}


def _metrics(made: Made) -> dict[str, Any]:
    metrics: dict[str, Any] = {"chance": 1 / made.graph[0], **_interval("exact_match", made.exact)}
    for node in range(made.graph[1]):
        for how in ("generated", "teacher_forced"):
            metrics |= _interval(f"position_{node + 1}/{how}", made.exact if node == 1 else 1.0)
    metrics |= _interval("first_step/on_an_arm", 0.75)
    tests = ("given_first", "wrong_first_followed", "wrong_first_inner", "wrong_first_ends_at_goal")
    for number, name in enumerate(tests):
        is_read = find(made.objective).reads_answer
        metrics |= _interval(f"clever_hans/{name}", 0.2 * number) if is_read else {f"clever_hans/{name}": None}
    alone = made.first_only
    metrics |= {"clever_hans/first_only": None} if alone is None else _interval("clever_hans/first_only", alone)
    needed = ("0.0", "first step", 0.8 - 0.1 * made.seed) if made.heads else (None, None, None)
    return metrics | dict(zip(("knock_out/head", "knock_out/node", "knock_out/cost"), needed, strict=True))


def _heads(made: Made) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and details; the edge of node i is listed i-th, and head 1.0 looks at it most."""
    degree, length = made.graph
    n_keys = 3 * degree * (length - 1) + 3 + length - 1
    rng = np.random.default_rng(made.seed)
    parent, child = rng.uniform(0, 0.1, (2, 2, 3, length - 1)).astype(np.float32)
    parent[1, 0], child[1, 0] = 0.25, 0.5
    pattern = np.tril(rng.uniform(0.1, 1, (2, n_keys, n_keys))).astype(np.float32)
    arrays = {
        "edge_lookup/parent": parent,
        "edge_lookup/child": child,
        "edge_lookup/uniform": np.full(length - 1, 0.05, np.float32),
        "knock_out/right": np.broadcast_to(np.linspace(0.2, 1.0, 6, dtype=np.float32).reshape(2, 3, 1), (2, 3, length)),
        "knock_out/intact": np.ones(length, np.float32),
        "example/pattern": pattern / pattern.sum(axis=-1, keepdims=True),
    }
    tokens = [HOSTILE[at % 3] if at % 3 == 2 else str(at) for at in range(n_keys)]
    details = {
        "n_knock_out": 256,
        "heads": {
            "applicable": True,
            "layers": [0, 1],
            "top": [{"label": "1.0", "layer": 1, "head": 0}, {"label": "0.2", "layer": 0, "head": 2}],
        },
        "example": {
            "tokens": tokens,
            "prompt_length": n_keys - length + 1,
            "edges": [3 * node + 1 for node in range(length - 1)],
        },
    }
    return arrays, details


def write_run(results_dir: Path, made: Made | None = None) -> StoredRun:
    """Write the folder of a made-up run and read it back."""
    made = made or Made()
    asked: dict[str, Any] = {"graph": f"{made.graph[0]}x{made.graph[1]}", "objective": made.objective} | made.recipe
    recipe = PathStarRecipe(**{name: value for name, value in asked.items() if name != "checkpoint"})
    arrays, details = _heads(made) if made.heads else ({}, {"heads": {"applicable": False}})
    details |= {
        "task": recipe.task.label,
        "objective": made.objective,
        "architecture": recipe.architecture.value,
        "n_test": made.n_test,
        "training": {"run_id": "trained1", "steps": recipe.n_steps - made.seed, "is_solved": False, "n_parameters": 7},
        "first_only": {},
    }
    if "checkpoint" in made.recipe:
        details["training"] = {}
    exp = {"name": "path_star", "checkpoint": made.recipe.get("checkpoint"), "n_test": made.n_test, **recipe.as_dict()}
    folder = RunFolder(results_dir / "path_star" / made.run_id)
    folder.create()
    folder.write_arrays("arrays.safetensors", arrays)
    folder.write_json("metrics.json", _metrics(made))
    folder.write_json("details.json", details)
    folder.write_text("config.yaml", yaml.safe_dump({"exp": exp, "seed": made.seed}))
    row = {"item": "graph/0", "graph": 0, "exact": False, "generated": [3, -1, 5, 6]}
    folder.write_text("records.jsonl", json.dumps(row) + "\n")
    manifest = {"run_id": made.run_id, "experiment": "path_star", "status": "complete", "schema_version": 1}
    folder.write_json("manifest.json", manifest | {"experiment_version": 1, "notes": []})
    return load_run(folder.path)
