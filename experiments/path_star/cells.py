"""Which path_star runs are repetitions of one another, and their means."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.path_star import data
from harness.measure.intervals import Interval, student_t, wilson
from harness.path_star.ways.roster import WAYS
from harness.path_star.ways.way import Way
from harness.runs.results.grouping import FEWEST_SEEDS, flat
from harness.runs.results.stored_run import StoredRun

_SEEDS = ("graph_seed", "weights_seed", "order_seed")
# Keys that do not define a kind of training: how the model is examined, and the seeds of its repetitions.
_NOT_TRAINING = ("name", "n_held_out", "n_test", "n_lookup", "n_knock_out", "n_top_heads", "first_only_steps",
                 "threads", "checkpoint_every", "probe_every", "n_probe", "replicate", *_SEEDS)  # fmt: skip
_IN_LABEL = ("graph", "objective", "architecture", "n_layers", "d_model", "n_values", "checkpoint", "pretrained")


@dataclass(frozen=True)
class Variant:
    """A kind of model and how it was trained: one panel of a picture."""

    model: str
    n_values: int
    other: str
    """What else distinguishes it from another variant of the same model, e.g. `n_steps=4000`; mostly empty."""

    @property
    def label(self) -> str:
        """The variant on one line."""
        return ", ".join(part for part in (self.model, f"{self.n_values} node numbers", self.other) if part)

    @property
    def words(self) -> str:
        """The variant as it stands in a picture: `2 heads` and not `n_heads=2`."""
        pairs = (part.partition("=")[::2] for part in self.other.split())
        told = (_WORDS.get(key, f"{key.replace('_', ' ')} {{}}").format(value) for key, value in pairs)
        return ", ".join([self.model, f"{self.n_values} node numbers", *told])


_WORDS = {"n_heads": "{} heads", "n_steps": "{} steps", "n_train": "{} training graphs", "lr": "learning rate {}"}


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seeds alone."""

    variant: Variant
    graph: tuple[int, int]
    way: type[Way]
    runs: tuple[StoredRun, ...]

    @property
    def task(self) -> str:
        """`G(d,l)`."""
        return f"G({self.graph[0]},{self.graph[1]})"

    @property
    def steps(self) -> tuple[int, ...]:
        """How long each was trained; none for checkpoints."""
        return tuple(int(facts["steps"]) for run in self.runs if (facts := run.details.get("training")))

    def values(self, metric: str) -> list[float]:
        """The metric of every run that has it."""
        found = [run.metrics.get(metric) for run in self.runs]
        return [float(value) for value in found if isinstance(value, int | float)]


def cells(runs: Sequence[StoredRun]) -> list[Cell]:
    """Runs as cells, by variant, graph and objective; of runs of the same model the largest is kept."""
    shown = _one_per_model([run for run in runs if _is_answer(run)])
    telling = _telling(shown)
    groups: dict[tuple[Variant, tuple[int, int], type[Way]], list[StoredRun]] = {}
    for run in shown:
        model, n_values = _model(run)
        variant = Variant(model, n_values, _other(run, telling[model, n_values]))
        groups.setdefault((variant, data.graph(run), data.way(run)), []).append(run)
    found = [
        Cell(variant, graph, way, tuple(sorted(members, key=_seeds)))
        for (variant, graph, way), members in groups.items()
    ]
    return sorted(found, key=_order)


def _is_answer(run: StoredRun) -> bool:
    # A model of the first step alone is no answer to the task.
    return "exact_match" in run.metrics and data.way(run).gives_whole_answers


def _order(cell: Cell) -> tuple[Any, ...]:
    architecture = list(data.ARCHITECTURES.values())
    rank = next((at for at, name in enumerate(architecture) if name in cell.variant.model), len(architecture))
    variant = cell.variant
    return (rank, variant.model, variant.n_values, variant.other, cell.graph, list(WAYS).index(cell.way.name))


def _training(run: StoredRun) -> dict[str, Any]:
    """The parameters of the model's training but for its seeds, dotted. None of them are known of a checkpoint."""
    if run.config["exp"].get("checkpoint"):
        return {}
    left_out = () if data.way(run).has_settings else ("objective_settings.",)
    return {
        key: value
        for key, value in flat(run.config["exp"]).items()
        if key not in _NOT_TRAINING and not key.startswith(left_out)
    }


def _seeds(run: StoredRun) -> tuple[Any, ...]:
    """What distinguishes a run from its repetitions: the training's seeds as they took effect."""
    exp = run.config["exp"]
    if exp.get("checkpoint"):
        return (str(exp["checkpoint"]),)
    return tuple(int(exp.get(name, 0)) + int(exp.get("replicate", 0)) for name in _SEEDS)


def _one_per_model(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """The run's own seed trains nothing: two runs that differ in it alone are of the same model."""
    found: dict[str, StoredRun] = {}
    for run in sorted(runs, key=lambda run: (-data.n_test(run), run.run_id)):
        exp = run.config["exp"]
        key = [exp.get("checkpoint"), exp["graph"], exp["objective"], _training(run), _seeds(run)]
        found.setdefault(json.dumps(key, sort_keys=True, default=str), run)
    return list(found.values())


def _model(run: StoredRun) -> tuple[str, int]:
    return data.model_label(run), int(run.config["exp"]["n_values"])


def _telling(runs: Sequence[StoredRun]) -> dict[tuple[str, int], list[str]]:
    """For every model the parts of its recipe that differ between runs of one graph and objective."""
    found: dict[tuple[str, int], set[str]] = {_model(run): set() for run in runs}
    groups: dict[tuple[Any, ...], list[StoredRun]] = {}
    for run in runs:
        groups.setdefault((_model(run), data.graph(run), data.way(run)), []).append(run)
    for (model, *_), members in groups.items():
        recipes = [_training(run) for run in members]
        for name in set().union(*recipes).difference(_IN_LABEL):
            if len({json.dumps(recipe.get(name), default=str) for recipe in recipes}) > 1:
                found[model].add(name)
    return {model: sorted(names) for model, names in found.items()}


def _other(run: StoredRun, telling: Sequence[str]) -> str:
    training = _training(run)
    return " ".join(f"{name.rsplit('.', 1)[-1]}={training[name]}" for name in telling if name in training)


def over_seeds(cell: Cell, metric: str) -> data.Share:
    """A share's mean over the cell's runs with a Student t interval, cut at 0 and 1; none of two runs.

    One run keeps its own interval over graphs. Runs that agree exactly have Wilson's over all their graphs: that they
    do not differ is no proof of exactly 0 or 1.
    """

    values = cell.values(metric)
    if not values:
        return data.Share(None, None, None)
    if len(values) == 1:
        only = next(run for run in cell.runs if run.metrics.get(metric) is not None)
        return data.share(only, metric)
    if len(set(values)) == 1:
        trials = sum(data.n_test(run) for run in cell.runs if run.metrics.get(metric) is not None)
        interval = wilson(round(values[0] * trials), trials)
    elif len(values) < FEWEST_SEEDS:
        return data.Share(float(np.mean(values)), None, None)
    else:
        interval = student_t(np.array(values, dtype=np.float64))
    return cut(interval, 0.0)


def cut(interval: Interval, least: float) -> data.Share:
    """An interval that ends at `least` and at 1 where it would go beyond."""
    if interval.low is None or interval.high is None:
        return data.Share(interval.mean, None, None)
    return data.Share(interval.mean, max(interval.low, least), min(interval.high, 1.0))
