"""How exp=train_organisms is measured: every training is kept as a whole, an interrupted one goes on from its steps."""

import shutil
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from experiments.train_organisms.arms import Arm
from experiments.train_organisms.config import TrainOrganismsConfig
from experiments.train_organisms.metrics import arm_metrics, is_comparable
from experiments.train_organisms.probing import QUANTITIES, probe
from harness.glitch.indicators import Indicator
from harness.organism.training import train_organism
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run


def measure(run: Run[TrainOrganismsConfig]) -> Outcome:
    """Train every arm from every seed and compare what became of rare tokens; the run's seed varies what is probed."""
    exp = run.exp
    # Seeds outside, arms inside: a run that is cut off has all arms of its first seeds.
    seeds = range(exp.first_seed, exp.first_seed + exp.n_seeds)
    batches = [Batch(f"{arm.value}-{seed}", (arm, seed), exp.n_steps) for seed in seeds for arm in exp.arms]

    def compute(batch: Batch[tuple[Arm, int]]) -> dict[str, np.ndarray]:
        return _train(run, batch.key, *batch.work)

    trained = compute_batches(run, batches, compute, _rows, "training")
    arrays: dict[str, np.ndarray] = {}
    metrics: dict[str, float | int | str | None] = {}
    by_arm = {
        arm: [found for batch, found in zip(batches, trained, strict=True) if batch.work[0] is arm] for arm in exp.arms
    }
    stacked = {arm: _stack(found) for arm, found in by_arm.items()}
    for arm, found in stacked.items():
        arrays |= {f"{arm.value}/{name}": values for name, values in found.items()}
        metrics |= {
            f"{arm.value}/{name}": value
            for name, value in arm_metrics(found, stacked[Arm.REFERENCE], exp.doses, run.seed).items()
        }
        if not is_comparable(found, stacked[Arm.REFERENCE]):
            run.warn(
                f"{arm.value}: learnt neither to copy well-shown tokens nor to predict text as well as the reference; "
                "it says nothing of rare tokens"
            )
    details = {
        "arms": {arm.value: arm.label for arm in exp.arms},
        "doses": list(exp.doses),
        "seeds": list(seeds),
        "indicators": [indicator.value for indicator in Indicator],
        "well_shown": exp.well_shown,
        "recipes": {arm.value: exp.recipe(arm, exp.first_seed).as_dict() for arm in exp.arms},
    }
    return Outcome(metrics, arrays, details)


def _train(run: Run[TrainOrganismsConfig], key: str, arm: Arm, seed: int) -> dict[str, np.ndarray]:
    folder = (run.artifact_folder if run.exp.keep_models else run.work_folder / "trained") / key
    with run.timer(arm.value):
        outcome = train_organism(run.exp.recipe(arm, seed), folder, run.work_folder, _no_progress)
        found = probe(folder, run.exp.n_appearances, run.exp.well_shown, run.seed)
    held_out = np.nan if outcome.held_out_loss is None else outcome.held_out_loss
    found["loss"] = np.asarray([outcome.final_loss, held_out], dtype=np.float32)
    if not run.exp.keep_models:
        shutil.rmtree(folder)
    return found


def _no_progress(step: int, total: int, loss: float) -> None:
    """The bar counts whole trainings."""
    del step, total, loss


def _rows(batch: Batch[tuple[Arm, int]], found: Mapping[str, np.ndarray]) -> Iterable[dict[str, Any]]:
    arm, seed = batch.work
    for dose in np.unique(found["dose"]).tolist():
        own = found["dose"] == dose
        yield {
            "item": f"{arm.value}/{seed}/{dose}", "arm": arm.value, "seed": seed, "dose": dose,
            **{name: float(found[name][own].mean()) for name in QUANTITIES},
        }  # fmt: skip


def _stack(found: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Trainings along the first axis; of well-shown tokens as many as each has."""
    return {
        name: np.stack([one[name][: min(len(other[name]) for other in found)] for one in found]) for name in found[0]
    }
