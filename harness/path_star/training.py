"""Training a path-star model from a recipe, with checkpoints to go on from after a kill.

The loop is transformers' Trainer: checkpoints, resuming, mixed precision and several GPUs are its work.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.utils.logging import disable_progress_bar

from harness.path_star import _shipping as shipping
from harness.path_star.answering import answer, answers_right, nodes_right, predict_forced
from harness.path_star.architecture import make_codec, make_model
from harness.path_star.codec import Codec
from harness.path_star.encoded import Rows
from harness.path_star.material import Material, encode, prepare_material
from harness.path_star.recipe import PathStarRecipe
from harness.path_star.ways.batch import IGNORED, Batch
from harness.path_star.ways.way import ModelSizes, Trunk, Way
from harness.training.checkpoints import newest_checkpoint, step_of
from harness.training.denormals import denormals_flushed

log = logging.getLogger(__name__)

LOG_EVERY = 25
"""Steps per point of the loss curve, which is their mean."""


@dataclass(frozen=True)
class TrainingOutcome:
    """What came of a training: its curve, and how it ended."""

    curve: tuple[dict[str, Any], ...]
    """Points {step, loss} and {step, exact_match, position_<i>} (of the probes)."""
    steps: int
    is_solved: bool
    """Whether it ended early because the probes were right."""
    n_parameters: int
    n_left_out: int
    resumed_from: int


class PathModel(nn.Module):
    """A causal model, the way of answering it is trained for, and the modules which that adds."""

    def __init__(self, causal: Any, way: Way, sizes: ModelSizes) -> None:
        super().__init__()
        self.causal, self.way = causal, way
        self.objective = nn.ModuleDict(way.modules(sizes))

    def forward(
        self,
        tokens: Int[Tensor, "batch pos"],
        prompt_length: Int[Tensor, " batch"],
        length: Int[Tensor, " batch"],
        first_start: Int[Tensor, " batch"],
        first_stop: Int[Tensor, " batch"],
    ) -> dict[str, Tensor]:
        """The loss of one batch."""
        batch = Batch(tokens, prompt_length, length, first_start, first_stop)
        inputs, labels = self.way.arrange(batch)
        hidden = self.causal.base_model(inputs).last_hidden_state
        at = labels != IGNORED
        unembedding = self.causal.get_output_embeddings()
        loss = functional.cross_entropy(unembedding(hidden[at]).float(), labels[at])
        trunk = Trunk(hidden, self.causal.get_input_embeddings(), unembedding)
        added = self.way.added_loss(self.objective, trunk, batch)
        return {"loss": loss if added is None else loss + added}

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Every tensor in memory of its own: the format of checkpoints has no tied weights."""
        state = super().state_dict(*args, **kwargs)
        return type(state)((name, tensor.clone()) for name, tensor in state.items())


@denormals_flushed()
def train_path_model(
    recipe: PathStarRecipe, out_folder: Path, work_folder: Path, on_progress: Callable[[int], None]
) -> TrainingOutcome:
    """Train `recipe` and write the model to `out_folder`; `on_progress` is called with the steps made so far.

    Checkpoints live in `work_folder`: called again after a kill it goes on from the newest whole one. Raises
    `Rejected` for what cannot be trained.
    """

    # Progress is the caller's to show.
    disable_progress_bar()
    torch.set_num_threads(recipe.threads)
    codec = make_codec(recipe)
    material = prepare_material(recipe)
    trainer = make_trainer(recipe, codec, material, work_folder, on_progress)
    model: Any = trainer.model
    checkpoint = newest_checkpoint(work_folder)
    ended = _ended_at(checkpoint, recipe) if checkpoint else None
    if checkpoint is not None and ended is not None:
        # Killed between its last step and its end: there is nothing left to train, and a Trainer would do one more.
        model.load_state_dict(load_file(checkpoint / "model.safetensors"))
        steps, history = ended
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        steps, history = trainer.state.global_step, trainer.state.log_history
    history = [entry for entry in history if "train_runtime" not in entry]
    shipping.ship(model, recipe, codec, steps, out_folder)
    return TrainingOutcome(
        curve=tuple(_points(history)),
        steps=steps,
        is_solved=is_solved(history, recipe),
        n_parameters=sum(p.numel() for p in model.causal.parameters()),
        n_left_out=material.n_left_out,
        resumed_from=step_of(checkpoint) if checkpoint else 0,
    )


def _ended_at(checkpoint: Path, recipe: PathStarRecipe) -> tuple[int, list[dict[str, Any]]] | None:
    """Steps and history of a checkpoint after which nothing is left to do; None where training goes on."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    steps, history = int(state["global_step"]), list(state["log_history"])
    return (steps, history) if steps >= recipe.n_steps or is_solved(history, recipe) else None


def is_solved(history: list[dict[str, Any]], recipe: PathStarRecipe) -> bool:
    """Whether the last two probes got the recipe's share of answers right."""
    last = [entry["exact_match"] for entry in history if "exact_match" in entry][-2:]
    wanted = recipe.stop_when_solved
    return wanted is not None and len(last) == 2 and min(last) >= wanted


def _points(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = ("loss", "exact_match")
    return [
        {"step": int(entry["step"])}
        | {name: value for name, value in entry.items() if name in kept or name.startswith("position_")}
        for entry in history
    ]


def make_trainer(
    recipe: PathStarRecipe, codec: Codec, material: Material, work: Path, on_progress: Callable[[int], None]
) -> Trainer:
    """A Trainer that shows the graphs in the order of `order_seed` and records loss and probes."""
    rows = encode(material.train, codec, recipe.way.is_reversed)
    probed = encode(material.held_out[: recipe.n_probe], codec, recipe.way.is_reversed)
    n_pos = max(rows.tokens.shape[1], probed.tokens.shape[1]) + recipe.way.n_added(recipe.task.path_length)
    causal = make_model(recipe, codec, n_pos)
    sizes = ModelSizes(
        d_model=causal.get_input_embeddings().weight.shape[1],
        n_heads=int(getattr(causal.config, "num_attention_heads", recipe.n_heads)),
        vocab_size=causal.get_output_embeddings().weight.shape[0],
    )
    way = recipe.way(codec, recipe.objective_settings)
    trainer = Trainer(
        model=PathModel(causal, way, sizes),
        args=training_arguments(recipe, work),
        # Row numbers: the collator gathers a whole batch at once.
        train_dataset=cast(Any, range(len(rows))),
        data_collator=lambda indices: collate(rows, indices),
        callbacks=[make_curve(recipe, way, probed, on_progress)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def collate(rows: Rows, indices: list[int]) -> dict[str, Tensor]:
    """The fields of `Batch` for some rows."""
    part = rows[np.asarray(indices)]
    fields = {
        "tokens": part.tokens,
        "prompt_length": part.prompt_length,
        "length": part.length,
        "first_start": part.node_start[:, 1],
        "first_stop": part.node_stop[:, 1],
    }
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in fields.items()}


def make_curve(recipe: PathStarRecipe, way: Way, probed: Rows, on_progress: Callable[[int], None]) -> Any:
    """A callback that probes the model now and then, and ends the training when the task is solved."""

    class Curve(TrainerCallback):
        # ruff: noqa: ARG002 (the Trainer passes these by position)
        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            on_progress(state.global_step)
            if state.global_step % recipe.probe_every:
                return
            found = probe(model, probed, way)
            # The log history is part of every checkpoint: the curve survives a kill.
            state.log_history.append({"step": state.global_step, **found})
            log.info("step %d: exact_match %.3f", state.global_step, found["exact_match"])
            if is_solved(state.log_history, recipe):
                control.should_training_stop = True

    return Curve()


def probe(model: Any, rows: Rows, way: Way) -> dict[str, float]:
    """Share of the rows whose answer is right, and of those right at each node with the truth before it."""
    causal = getattr(model, "module", model).causal
    device = next(causal.parameters()).device

    def forward(tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        logits: Tensor = causal(tokens.to(device)).logits
        return logits

    causal.eval()
    with torch.inference_mode():
        forced = predict_forced(way, forward, rows)
        written = forced if way.forced_tells_all else answer(way, forward, rows).tokens
    causal.train()
    right = nodes_right(forced, rows).mean(axis=0)
    return {
        "exact_match": float(answers_right(written, rows).mean()),
        **{f"position_{number}": float(value) for number, value in enumerate(right, start=1)},
    }


def training_arguments(recipe: PathStarRecipe, work: Path) -> TrainingArguments:
    """AdamW, the recipe's schedule and precision, one process and no network."""
    n_devices = max(torch.cuda.device_count(), 1)
    return TrainingArguments(
        output_dir=str(work),
        max_steps=recipe.n_steps,
        # One process drives all GPUs, each with its share of the batch.
        per_device_train_batch_size=max(recipe.batch_size // n_devices, 1),
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        adam_beta2=recipe.beta2,
        max_grad_norm=recipe.clip,
        bf16=recipe.bf16,
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.weights_seed + recipe.replicate,
        data_seed=recipe.order_seed + recipe.replicate,
        logging_steps=LOG_EVERY,
        logging_nan_inf_filter=False,
        save_steps=recipe.checkpoint_every,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )
