"""The graphs of one training: those it shows and those it never does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from harness.errors import FieldRejected
from harness.path_star._files import overlap, read_graphs, without
from harness.path_star.codec import Codec
from harness.path_star.encoded import Rows
from harness.path_star.graphs import StarGraphs, draw_graphs
from harness.path_star.recipe import PathStarRecipe


@dataclass(frozen=True)
class Material:
    """Graphs of a training; `n_left_out` graphs of a training file were held out and are not shown."""

    train: StarGraphs
    held_out: StarGraphs
    n_left_out: int


def held_out_graphs(recipe: PathStarRecipe) -> StarGraphs:
    """The graphs that training never shows: drawn first, so that they do not depend on those it does show."""
    if recipe.held_out_file is not None:
        return read_graphs(Path(recipe.held_out_file), recipe.task)
    return draw_graphs(recipe.task, recipe.n_held_out, _seeds(recipe)[0])


def _seeds(recipe: PathStarRecipe) -> tuple[int, int]:
    held_out, train = (int(s) for s in np.random.SeedSequence(recipe.graph_seed + recipe.replicate).generate_state(2))
    return held_out, train


def prepare_material(recipe: PathStarRecipe) -> Material:
    """Draw or read the graphs; none is in both sets. Raises `Rejected`."""
    task = recipe.task
    held_out = held_out_graphs(recipe)
    n_left_out = 0
    if recipe.train_file is not None:
        read = read_graphs(Path(recipe.train_file), task)
        train = without(read, held_out)
        n_left_out = len(read) - len(train)
        if len(train) == 0:
            raise FieldRejected(
                f"train_file: every graph of {recipe.train_file} is held out: nothing is left to train on"
            )
    else:
        train = draw_graphs(task, recipe.n_train, _seeds(recipe)[1], exclude=held_out)
    shared = overlap(train, held_out)
    if shared:
        raise AssertionError(f"{shared} held-out graphs are among those trained on")
    return Material(train, held_out, n_left_out)


def answer_order(graphs: StarGraphs, is_reversed: bool) -> Int[np.ndarray, "graph node"]:
    """The path, from start to goal or from goal to start."""
    return graphs.path[:, ::-1] if is_reversed else graphs.path


def encode(graphs: StarGraphs, codec: Codec, is_reversed: bool) -> Rows:
    """Prompts with their true answers."""
    return codec.encode(graphs, answer_order(graphs, is_reversed))
