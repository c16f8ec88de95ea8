"""A whole experiment with no model: what the lifecycle is tested with."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.constraints import Count
from harness.errors import RunFailed
from harness.reporting.display import Display
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run
from harness.runs.experiment import Experiment
from harness.runs.results.headline import HeadlineRow


@dataclass(frozen=True)
class Toy:
    n: Count = 6
    fail_at: int = -1
    sleep: float = 0.0
    gate: bool = False
    log: Path | None = None


def measure(run: Run) -> Outcome:
    def square(batch: Batch[int]) -> dict[str, np.ndarray]:
        if batch.work == run.exp.fail_at:
            raise RunFailed("the toy was told to fail") if batch.work % 2 else ZeroDivisionError("a bug")
        time.sleep(run.exp.sleep)
        if run.exp.log:
            with run.exp.log.open("a") as stream:
                stream.write(f"{batch.work} {os.getpid()}\n")
        noise = np.random.default_rng([run.seed, batch.work]).normal()
        return {"value": np.array([batch.work**2 + noise])}

    batches = [Batch(f"b{i}", i) for i in range(run.exp.n)]
    arrays = compute_batches(run, batches, square, lambda b, a: [{"item": b.key, "value": float(a["value"][0])}])
    values = np.concatenate([a["value"] for a in arrays])
    run.note("toys are only toys")
    return Outcome(
        {"toy/mean": float(values.mean()), "toy/nan": float("nan")},
        {"values": values},
        {"k": "</script>"},
        3 if run.exp.gate else 0,
    )


EXPERIMENT = Experiment(
    name="toy",
    version=1,
    summary="An experiment outside the project: squares numbers, and can be told to fail or to be slow.",
    config=Toy,
    needs=frozenset(),
)
DISPLAY = Display(headline=lambda run: [HeadlineRow("toy", {"mean": f"{run.metrics['toy/mean']:.3f}"})])
