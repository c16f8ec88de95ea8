"""transformers' Trainer against a plain loop on pocket's own recipe, and our attention and loss against the library's.

    python benchmarks/pocket_trainer.py [--steps 30] [--rounds 3]

All on one thread and the same rows: (1) the Trainer as `exp=train_pocket` uses it, (2) a bare loop of loss, backward,
AdamW step, (3) that loop with PyTorch's fused attention, (4) that loop with the model's own loss. Rounds alternate; the
median round counts. Nothing here is asserted.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from reporting import write_result

from harness.organism._loss import next_token_loss
from harness.organism._stream import Material, Stream, build_stream, prepare_material
from harness.organism.recipe import LOG_EVERY, RecipeConfig
from harness.organism.training import make_model, make_trainer

WARM_UP = LOG_EVERY
# The stream of so short a run has no room for large doses.
DOSES = (0, 1, 4)


def whole_loss(model: torch.nn.Module, tokens: torch.Tensor, context: int) -> torch.Tensor:
    """The model's own loss over all logits at once."""
    with torch.autocast("cpu", torch.bfloat16):
        return model(input_ids=tokens.reshape(-1, context), labels=tokens.reshape(-1, context)).loss


def plain_loop(recipe: RecipeConfig, stream: Stream, loss: Callable, implementation: str | None = None) -> float:
    """Seconds per step of a bare loop."""
    model = make_model(recipe)
    if implementation is not None:
        model.set_attn_implementation(implementation)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, fused=True)
    began = 0.0
    for step in range(recipe.n_steps):
        if step == WARM_UP:
            began = time.perf_counter()
        rows = stream.rows[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        loss(model, torch.from_numpy(rows.astype(np.int64)), recipe.context).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - began) / (recipe.n_steps - WARM_UP)


def with_trainer(recipe: RecipeConfig, material: Material, stream: Stream) -> float:
    """Seconds per step of the Trainer behind its first report, which is as many steps as the loop's warm-up."""
    marks: list[float] = []
    with tempfile.TemporaryDirectory() as work:
        trainer = make_trainer(recipe, material, stream, Path(work), lambda *_: marks.append(time.perf_counter()))
        trainer.train()
    return (marks[-1] - marks[0]) / (WARM_UP * (len(marks) - 1))


def main() -> None:
    """Time the four in turn and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    never = 10 * (arguments.steps // 10 + 1)
    recipe = replace(
        RecipeConfig(), n_steps=arguments.steps, early_steps=0, doses=DOSES, probe_every=never, checkpoint_every=never
    )
    material = prepare_material(recipe)
    stream = build_stream(recipe, material)
    timed: dict[str, Callable[[], float]] = {
        "trainer": lambda: with_trainer(recipe, material, stream),
        "plain_loop": lambda: plain_loop(recipe, stream, next_token_loss),
        "plain_loop_fused_attention": lambda: plain_loop(recipe, stream, next_token_loss, "sdpa"),
        "plain_loop_whole_loss": lambda: plain_loop(recipe, stream, whole_loss),
    }
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(arguments.rounds):
        for name, measure in timed.items():
            seconds[name].append(measure())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    base = medians["plain_loop"]
    write_result(
        "pocket_trainer",
        {
            "tokens_per_step": recipe.batch_size * recipe.context,
            "threads": 1,
            "load_average": os.getloadavg(),
            "seconds_per_step": seconds,
            "median_seconds_per_step": medians,
            "over_plain_loop": {name: value / base for name, value in medians.items()},
        },
    )


if __name__ == "__main__":
    main()
