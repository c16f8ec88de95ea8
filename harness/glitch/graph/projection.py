"""Two coordinates for every row, to look at; nothing is measured in them."""

import random

import igraph
import numpy as np
from jaxtyping import Float

from harness.glitch.graph.choices import Projection
from harness.glitch.graph.communities import to_igraph
from harness.glitch.graph.neighbours import Neighbours
from harness.glitch.graph.space import principal_components
from harness.glitch.graph.weights import fuzzy_graph

_LAYOUT_NEIGHBOURS = 15
_LAYOUT_EPOCHS = 150
_SMALLEST_WEIGHT = 1e-6


def project(
    rows: Float[np.ndarray, "n d"], neighbours: Neighbours, method: Projection, seed: int
) -> Float[np.ndarray, "n 2"]:
    """Coordinates of every row, float32; equal seeds give equal pictures."""
    flat = _two_columns(principal_components(rows, 2))
    if method.chosen(len(rows)) is Projection.PCA:
        return flat
    return _umap(flat, neighbours, seed)


def _two_columns(reduced: Float[np.ndarray, "n component"]) -> Float[np.ndarray, "n 2"]:
    # Rows on one line have one component only.
    return np.pad(reduced, ((0, 0), (0, 2 - reduced.shape[1])))


def _umap(start: Float[np.ndarray, "n 2"], neighbours: Neighbours, seed: int) -> Float[np.ndarray, "n 2"]:

    k = min(_LAYOUT_NEIGHBOURS, neighbours.k)
    near = Neighbours(neighbours.ids[:, :k], neighbours.distances[:, :k], neighbours.metric)
    graph = fuzzy_graph(near)
    # The layout takes edge lengths and turns them into weights: -log inverts that.
    lengths = -np.log(np.maximum(graph.weights, _SMALLEST_WEIGHT))
    scale = 10 / max(float(np.abs(start).max()), 1e-12)
    igraph.set_random_number_generator(random.Random(seed))
    try:
        layout = to_igraph(graph).layout_umap(
            dist=np.maximum(lengths, 0).tolist(),
            dim=2,
            seed=(start * scale).tolist(),
            min_dist=0.1,
            epochs=_LAYOUT_EPOCHS,
        )
    finally:
        igraph.set_random_number_generator(random)
    return np.asarray(layout.coords, dtype=np.float32)
