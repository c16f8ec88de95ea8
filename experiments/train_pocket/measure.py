"""How exp=train_pocket is measured."""

import csv
from typing import Any

from experiments.train_pocket.config import ORGANISM
from experiments.train_pocket.fitness import shortcomings
from harness.organism.organism import load_organism
from harness.organism.recipe import RecipeConfig
from harness.organism.training import train_organism
from harness.runs.context import Outcome, Run


def measure(run: Run[RecipeConfig]) -> Outcome:
    """Train the recipe in `run.exp`; the run's own seed varies nothing here, the recipe has seeds of its own."""

    recipe: RecipeConfig = run.exp
    folder = run.artifact_folder / ORGANISM
    with run.timer("train"), run.progress(recipe.n_steps, "training") as advance:
        seen = 0

        def on_progress(step: int, total: int, loss: float) -> None:
            nonlocal seen
            del total, loss
            advance(step - seen)
            seen = step

        outcome = train_organism(recipe, folder, run.work_folder, on_progress)
    organism = load_organism(folder)
    assert organism is not None, "train_organism writes the exposures last"
    run.records.append(_curve(folder))
    measured = outcome.verdict.as_dict()
    for sentence in shortcomings(measured):
        run.warn(sentence)
    return Outcome(_metrics(measured, outcome.final_loss, outcome.parameters), vars(organism.exposures), measured)


def _curve(folder: Any) -> list[dict[str, Any]]:

    with (folder / "training_curve.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        {"item": f"{'probe' if not row['loss'] else 'loss'}/{row['step']}", "step": int(row["step"])}
        | {name: float(row[name]) if row[name] else None for name in row if name != "step"}
        for row in rows
    ]


def _metrics(measured: dict[str, Any], final_loss: float, parameters: int) -> dict[str, float | int | str | None]:
    metrics: dict[str, float | int | str | None] = {
        "final_loss": final_loss,
        "parameters": parameters,
        "induction_score_max": measured["induction_score_max"],
        "induction_head": measured["induction_head"],
    }
    for origin in ("natural", "planted"):
        for label, bucket in measured[origin].items():
            metrics |= {f"{origin}/{label}/{name}": value for name, value in bucket.items()}
    for group in ("tasks_held_out", "tasks_unseen"):
        for task, rate in measured[group].items():
            metrics[f"{group}/{task}"] = rate["passed"] / rate["n"] if rate["n"] else None
    return metrics
