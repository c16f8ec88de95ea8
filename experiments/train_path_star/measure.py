"""How exp=train_path_star is measured."""

from typing import Any

from experiments.train_path_star.config import MODEL
from harness.path_star.recipe import PathStarRecipe
from harness.path_star.training import train_path_model
from harness.runs.context import Outcome, Run


def measure(run: Run[PathStarRecipe]) -> Outcome:
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
