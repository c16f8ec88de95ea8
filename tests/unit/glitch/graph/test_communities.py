"""Leiden through both libraries, and the quality both are judged by."""

import itertools

import numpy as np
import pytest

from harness.glitch.graph.choices import LeidenLibrary, Projection
from harness.glitch.graph.communities import find_communities, modularity
from harness.glitch.graph.neighbours import nearest_neighbours
from harness.glitch.graph.projection import project
from harness.glitch.graph.weights import TokenGraph, fuzzy_graph

pytestmark = pytest.mark.unit


def cliques(n_cliques: int, size: int) -> TokenGraph:
    """Cliques of equal weight in a ring, neighbours joined by one edge."""
    inside = [(c * size + a, c * size + b) for c in range(n_cliques) for a, b in itertools.combinations(range(size), 2)]
    bridges = [tuple(sorted((c * size, ((c + 1) % n_cliques) * size + 1))) for c in range(n_cliques)]
    edges = np.array(sorted(inside + bridges))
    return TokenGraph(n_cliques * size, edges[:, 0], edges[:, 1], np.ones(len(edges)))


def test_modularity_by_hand():
    # Two triangles joined by one edge: m = 7, inside 6/7, both strengths 7 of 14.
    edges = np.array([(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5)])
    graph = TokenGraph(6, edges[:, 0], edges[:, 1], np.ones(7))
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert modularity(graph, labels) == pytest.approx(6 / 7 - 0.5)
    assert modularity(graph, labels, resolution=2.0) == pytest.approx(6 / 7 - 1.0)
    assert modularity(graph, np.zeros(6, dtype=np.int64)) == pytest.approx(0.0)


def test_modularity_is_what_igraph_calls_so():
    import igraph

    graph = cliques(4, 5)
    labels = np.arange(20) % 3
    built = igraph.Graph(graph.n, list(zip(graph.sources.tolist(), graph.targets.tolist(), strict=True)))
    for resolution in (1.0, 3.5):
        assert modularity(graph, labels, resolution) == pytest.approx(
            built.modularity(labels.tolist(), weights=graph.weights.tolist(), resolution=resolution)
        )


@pytest.mark.parametrize("library", LeidenLibrary)
def test_cliques_are_found_and_numbered_by_size(library):
    found = find_communities(cliques(6, 5), 1.0, 0, library)
    assert found.n_communities == 6
    assert [len(members) for members in found.members()] == [5] * 6
    assert found.member_of.tolist() == np.repeat(np.arange(6), 5).tolist()
    assert found.quality == found.modularity == pytest.approx(modularity(cliques(6, 5), found.member_of))


@pytest.mark.parametrize("library", LeidenLibrary)
def test_equal_seeds_give_equal_communities(library):
    rows = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    graph = fuzzy_graph(nearest_neighbours(rows, 10))
    first, second = (find_communities(graph, 5.0, 3, library).member_of for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_both_libraries_reach_the_same_quality_within_one_percent():
    rng = np.random.default_rng(2)
    rows = (rng.normal(size=(30, 10))[rng.integers(0, 30, 1500)] * 2 + rng.normal(size=(1500, 10))).astype(np.float32)
    graph = fuzzy_graph(nearest_neighbours(rows, 15))
    fast, authors = (find_communities(graph, 1.0, 0, library) for library in LeidenLibrary)
    assert fast.quality == pytest.approx(authors.quality, rel=0.01)


def test_a_higher_resolution_gives_more_communities_and_no_edges_one_each():
    graph = cliques(6, 5)
    assert find_communities(graph, 0.01, 0).n_communities < 6 <= find_communities(graph, 20.0, 0).n_communities
    none = np.empty(0, dtype=np.int64)
    lonely = find_communities(TokenGraph(3, none, none, np.empty(0)), 1.0, 0)
    assert lonely.member_of.tolist() == [0, 1, 2]
    assert lonely.quality == 0.0
    with pytest.raises(ValueError, match="resolution"):
        find_communities(graph, 0.0, 0)


@pytest.mark.parametrize("method", [Projection.PCA, Projection.UMAP])
def test_a_picture_keeps_far_groups_apart_and_is_the_same_twice(method):
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(60, 8)), rng.normal(size=(60, 8)) + 20]).astype(np.float32)
    neighbours = nearest_neighbours(rows, 10)
    first, second = (project(rows, neighbours, method, seed=0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    between = np.linalg.norm(first[:60].mean(axis=0) - first[60:].mean(axis=0))
    within = max(first[:60].std(), first[60:].std())
    assert between > within
    assert np.isfinite(first).all()


def test_rows_on_a_line_can_be_drawn():
    rows = np.outer(np.arange(30), [1.0, 1.0]).astype(np.float32)
    assert project(rows, nearest_neighbours(rows, 3), Projection.PCA, 0).shape == (30, 2)
    assert Projection.AUTO.chosen(50_257) is Projection.PCA
