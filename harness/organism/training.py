"""Training an organism from a recipe, with checkpoints to go on from after a kill.

The loop is transformers' Trainer: it takes 1.02 times as long as a bare one (`benchmarks/pocket_trainer.py`).
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PrinterCallback, SchedulerType, Trainer, TrainerCallback, TrainingArguments
from transformers.training_args import OptimizerNames
from transformers.utils.logging import disable_progress_bar

from harness.files import write_whole
from harness.organism._architecture import as_shipped, make_model
from harness.organism._loss import next_token_loss
from harness.organism._optimising import TRAINERS_OWN, build_optimiser
from harness.organism._probes import probe_copying
from harness.organism._shipping import CurvePoint, Verdict, judge, ship
from harness.organism._stream import Material, Stream, build_stream, following_text, prepare_material
from harness.organism.recipe import LOG_EVERY, RecipeConfig
from harness.training.checkpoints import newest_checkpoint, step_of
from harness.training.denormals import denormals_flushed

log = logging.getLogger(__name__)

_PROBE_SEQUENCES = 16
_HELD_OUT_ROWS = 64
# The Trainer's last log entry sums up the call, not a step.
SUMMARY = {"train_runtime"}


@dataclass(frozen=True)
class TrainingOutcome:
    """What came of a training. `seconds` is the time of this call only, `final_loss` in nats per token (mean of the
    last steps logged)."""

    folder: Path
    final_loss: float
    seconds: float
    steps: int
    resumed_from: int
    parameters: int
    verdict: Verdict
    held_out_loss: float | None
    """Of the text that would have come next, as `final_loss`; None where all text had been shown."""


Progress = Callable[[int, int, float], None]
"""Called as (step, total, loss)."""


@denormals_flushed()
def train_organism(
    recipe: RecipeConfig, out_folder: Path, work_folder: Path, on_progress: Progress, stdlib: Path | None = None
) -> TrainingOutcome:
    """Train `recipe` and write the organism to `out_folder`.

    Checkpoints live in `work_folder`, in a folder named by the recipe: called again after a kill it goes on from the
    newest whole one, with the same rows. `stdlib` replaces the standard library's folder (tests).
    """

    began = time.monotonic()
    # Progress is the caller's to show.
    disable_progress_bar()
    torch.set_num_threads(recipe.threads)
    material = prepare_material(recipe, stdlib)
    stream = build_stream(recipe, material)
    work = work_folder / f"pocket-{recipe.fingerprint()}"
    _check_same_stream(work, stream)
    checkpoint = newest_checkpoint(work)
    trainer = make_trainer(recipe, material, stream, work, on_progress)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    model: Any = trainer.model
    points = [CurvePoint.from_log(entry) for entry in trainer.state.log_history if not SUMMARY & set(entry)]
    shipped = as_shipped(model, recipe)
    verdict = judge(shipped, recipe, material, stream)
    seconds = time.monotonic() - began
    ship(shipped, recipe, material, stream, points, verdict, out_folder)
    losses = [point.loss for point in points if point.loss is not None]
    return TrainingOutcome(
        folder=out_folder,
        final_loss=float(np.mean(losses[-10:])),
        seconds=seconds,
        steps=trainer.state.global_step,
        resumed_from=step_of(checkpoint) if checkpoint else 0,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        verdict=verdict,
        held_out_loss=_held_out_loss(shipped, recipe, material),
    )


def _held_out_loss(model: PreTrainedModel, recipe: RecipeConfig, material: Material) -> float | None:
    rows = following_text(recipe, material, _HELD_OUT_ROWS)
    if rows is None:
        return None
    with torch.inference_mode():
        losses = [
            next_token_loss(model, torch.from_numpy(part), recipe.context, bf16=False) for part in np.split(rows, 8)
        ]
    return float(np.mean(losses))


def training_arguments(recipe: RecipeConfig, work: Path) -> TrainingArguments:
    """The recipe's optimiser, cosine with warm-up, rows in their order, one process and no network."""

    # One that is not the Trainer's own is built by `build_optimiser`, and this name is then not used.
    optimiser = TRAINERS_OWN.get(recipe.optimiser, OptimizerNames.ADAMW_TORCH_FUSED)
    schedule = SchedulerType.COSINE_WITH_RESTARTS if recipe.restarts else SchedulerType.COSINE

    return TrainingArguments(
        output_dir=str(work),
        max_steps=recipe.n_steps,
        per_device_train_batch_size=recipe.batch_size,
        train_sampling_strategy="sequential",
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=schedule,
        lr_scheduler_kwargs={"num_cycles": recipe.restarts + 1} if recipe.restarts else None,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        optim=optimiser,
        use_cpu=True,
        seed=recipe.weights_seed,
        logging_steps=LOG_EVERY,
        logging_nan_inf_filter=False,
        save_steps=recipe.checkpoint_every,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
    )


def make_trainer(
    recipe: RecipeConfig, material: Material, stream: Stream, work: Path, on_progress: Progress
) -> Trainer:
    """A Trainer that feeds the stream's rows in order and records the curve."""

    class Rows(Dataset):
        def __len__(self) -> int:
            return len(stream.rows)

        def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
            row = torch.from_numpy(stream.rows[index].astype(np.int64))
            return {"input_ids": row}

    class RowTrainer(Trainer):
        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
            early = self.state.global_step < recipe.early_steps
            return next_token_loss(
                model, inputs["input_ids"], recipe.early_context if early else recipe.context, recipe.bf16, left_out
            )

    total = stream.exposures(recipe.vocab_size).total
    left_out = torch.from_numpy(np.flatnonzero(total == 0)) if recipe.softmax_over_shown else None
    shown = [int(i) for i in np.flatnonzero(total >= recipe.held_out_min_exposures) if i != material.bos]

    class Curve(TrainerCallback):
        # ruff: noqa: ARG002 (the Trainer passes these by position)
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
            if logs and "loss" in logs:
                on_progress(state.global_step, state.max_steps, logs["loss"])

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            if shown and state.global_step % recipe.probe_every == 0:
                model.eval()
                probe = probe_copying(model, shown, material.bos, n_sequences=_PROBE_SEQUENCES)
                model.train()
                # The log history is part of every checkpoint: the curve survives a kill.
                state.log_history.append(
                    {
                        "step": state.global_step,
                        "copy_accuracy_cued": probe.copy_accuracy_cued,
                        "copy_gain_cued": probe.copy_gain_cued,
                    }
                )
                log.info("step %d: copy_accuracy_cued %.3f", state.global_step, probe.copy_accuracy_cued)

    model = make_model(recipe)
    trainer = RowTrainer(
        model=model,
        args=training_arguments(recipe, work),
        train_dataset=Rows(),
        callbacks=[Curve()],
        optimizers=(build_optimiser(recipe, model), None),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _check_same_stream(work: Path, stream: Stream) -> None:
    work.mkdir(parents=True, exist_ok=True)
    note, digest = work / "stream.sha256", stream.sha256()
    if note.exists() and note.read_text(encoding="utf-8") != digest:
        raise ValueError(
            f"work_folder: {work} was begun with other training rows (another standard library?), allowed: a new folder"
        )
    write_whole(note, digest.encode())
