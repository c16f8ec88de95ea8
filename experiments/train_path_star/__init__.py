"""Train one model on path-star graphs, from scratch or from pretrained weights.

The model's folder is kept with the run, in artifacts/model; `model.name=<that folder>` boots it like any other model.
Interrupted, the same command goes on from the newest checkpoint.

records.jsonl: a line per point of the training curve, {item, step, loss} or {item, step, exact_match, position_<i>};
probes are held-out graphs, `position_<i>` is the share right at the answer's i-th node when the truth stands before it.

Details: {task, objective, architecture, folder, steps, is_solved, n_parameters, n_left_out}
"""

from collections.abc import Mapping
from typing import Any

from experiments.train_path_star.figures import FIGURES, headline
from harness.models.identity import ModelIdentity
from harness.path_star.recipe import PathStarRecipe
from harness.path_star.request import check_recipe, fingerprints
from harness.path_star.training import train_path_model
from harness.runs.config.schema import RunConfig
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment

MODEL = "model"


def check(context: CheckContext) -> None:
    """Refuse what cannot be trained before anything is written."""

    check_recipe(context.exp)


def train(run: Run) -> Outcome:
    """Train the recipe in `run.exp`; the run's own seed varies nothing here, the recipe has seeds of its own."""

    recipe: PathStarRecipe = run.exp
    folder = run.artifact_folder / MODEL
    with run.timer("train"), run.progress(recipe.n_steps, f"training {recipe.task.label}") as advance:
        seen = 0

        def on_progress(step: int) -> None:
            nonlocal seen
            advance(step - seen)
            seen = step

        outcome = train_path_model(recipe, folder, run.work_folder, on_progress)
    run.records.append(_named(outcome.curve))
    if outcome.n_left_out:
        run.note(f"{outcome.n_left_out} graphs of {recipe.train_file} are held out and were not shown")
    losses = [point["loss"] for point in outcome.curve if "loss" in point]
    probes = [point for point in outcome.curve if "exact_match" in point]
    metrics: dict[str, Any] = {
        "steps": outcome.steps,
        "final_loss": losses[-1] if losses else None,
        "parameters": outcome.n_parameters,
        "probe/exact_match": probes[-1]["exact_match"] if probes else None,
        "chance": recipe.task.chance,
    }
    details = {
        "task": recipe.task.label,
        "objective": recipe.objective.value,
        "architecture": recipe.architecture.value,
        "folder": f"artifacts/{MODEL}",
        "steps": outcome.steps,
        "is_solved": outcome.is_solved,
        "n_parameters": outcome.n_parameters,
        "n_left_out": outcome.n_left_out,
    }
    return Outcome(metrics, {}, details)


def _named(curve: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    return [
        {"item": f"{'probe' if 'exact_match' in point else 'loss'}/{point['step']}", **point}
        for point in curve
        if len(point) > 1
    ]


def inputs(config: RunConfig, identity: ModelIdentity | None) -> Mapping[str, str]:
    """What the answer depends on beside the recipe: the bytes of data files and of the weights to start from."""

    del identity
    return fingerprints(config.exp)


EXPERIMENT = Experiment(
    name="train_path_star",
    version=1,
    summary="Train a model on path-star graphs",
    config=PathStarRecipe,
    run=train,
    needs=frozenset(),
    check=check,
    inputs=inputs,
    headline=headline,
    figures=FIGURES,
)
