"""Communities of a weighted graph by the Leiden algorithm, through either of two libraries."""

import random
from dataclasses import dataclass

import igraph
import leidenalg
import numpy as np
from jaxtyping import Int

from harness.glitch.graph.choices import LeidenLibrary
from harness.glitch.graph.weights import TokenGraph


@dataclass(frozen=True)
class Communities:
    """Which community every node is in, numbered from 0 by falling size (equal sizes: by smallest node)."""

    member_of: Int[np.ndarray, " n"]
    """int64."""
    quality: float
    """`modularity` of them at the resolution they were found with."""
    modularity: float
    """At resolution 1."""

    @property
    def n_communities(self) -> int:
        """How many there are."""
        return int(self.member_of.max()) + 1 if len(self.member_of) else 0

    def members(self) -> list[Int[np.ndarray, " node"]]:
        """The nodes of every community, ascending."""
        order = np.argsort(self.member_of, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.member_of))[:-1]) if len(order) else []


def find_communities(
    graph: TokenGraph,
    resolution: float,
    seed: int,
    library: LeidenLibrary = LeidenLibrary.IGRAPH,
    n_iterations: int = 2,
) -> Communities:
    """Run Leiden. `n_iterations`: passes over the graph, -1 until nothing improves; equal seeds give equal communities.

    Source: Traag, Waltman & van Eck 2019. A graph without edges has a community for every node. Raises `ValueError` for
    a resolution that is not above 0.
    """
    if not resolution > 0:
        raise ValueError(f"a resolution of {resolution}; it must be above 0")
    if graph.n_edges == 0:
        labels = np.arange(graph.n)
    else:
        run = _by_igraph if library is LeidenLibrary.IGRAPH else _by_leidenalg
        labels = _by_falling_size(np.asarray(run(graph, resolution, seed, n_iterations), dtype=np.int64))
    return Communities(labels, modularity(graph, labels, resolution), modularity(graph, labels))


def modularity(graph: TokenGraph, member_of: Int[np.ndarray, " n"], resolution: float = 1.0) -> float:
    """Share of edge weight inside communities, less what random edges between nodes of equal strengths would put there.

    sum_c (w_c / m - resolution * (s_c / 2m)^2) with w_c the weight inside community c, s_c the strength of its nodes, m
    the total weight (Reichardt & Bornholdt 2006; Newman's modularity at resolution 1). 0 for a graph without edges.
    """
    total = float(graph.weights.sum())
    if total == 0:
        return 0.0
    inside = member_of[graph.sources] == member_of[graph.targets]
    strength = np.bincount(member_of, weights=graph.strengths())
    expected = float(np.square(strength / (2 * total)).sum())
    return float(graph.weights[inside].sum()) / total - resolution * expected


def to_igraph(graph: TokenGraph) -> igraph.Graph:
    """The graph as igraph holds it."""

    # As pairs: igraph reads a list of tuples four times as fast as an array.
    return igraph.Graph(n=graph.n, edges=list(zip(graph.sources.tolist(), graph.targets.tolist(), strict=True)))


def _by_igraph(graph: TokenGraph, resolution: float, seed: int, n_iterations: int) -> list[int]:

    built = to_igraph(graph)
    # igraph draws from one generator of its own; Python's is its default and is put back afterwards.
    igraph.set_random_number_generator(random.Random(seed))
    try:
        found = built.community_leiden(
            objective_function="modularity",
            weights=graph.weights.tolist(),
            resolution=resolution,
            n_iterations=n_iterations,
        )
    finally:
        igraph.set_random_number_generator(random)
    return list(found.membership)


def _by_leidenalg(graph: TokenGraph, resolution: float, seed: int, n_iterations: int) -> list[int]:

    found = leidenalg.find_partition(
        to_igraph(graph),
        leidenalg.RBConfigurationVertexPartition,
        weights=graph.weights.tolist(),
        resolution_parameter=resolution,
        n_iterations=n_iterations,
        seed=seed,
    )
    return list(found.membership)


def _by_falling_size(labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    _, first, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[inverse]
