"""The fuzzy union of neighbour lists against its definition."""

import numpy as np
import pytest

from harness.glitch.graph.choices import Metric
from harness.glitch.graph.neighbours import Neighbours, nearest_neighbours
from harness.glitch.graph.weights import directed_weights, fuzzy_graph

pytestmark = pytest.mark.unit


def test_each_rows_weights_sum_to_log2_k_and_its_nearest_weighs_one():
    rng = np.random.default_rng(0)
    distances = np.sort(rng.gamma(2.0, size=(300, 16)) + 0.1, axis=1).astype(np.float32)
    weights = directed_weights(distances)
    np.testing.assert_allclose(weights.sum(axis=1), 4.0, atol=1e-4)
    np.testing.assert_array_equal(weights[:, 0], 1.0)


def test_by_hand_with_two_neighbours():
    # log2 2 = 1 = exp(0) + exp(-(d2 - d1)/sigma) cannot be: sigma falls to its floor, the farther one weighs nothing.
    np.testing.assert_allclose(directed_weights(np.array([[1.0, 3.0]], dtype=np.float32)), [[1.0, 0.0]], atol=1e-12)


def test_equal_rows_do_not_count_for_rho_and_weigh_one():
    weights = directed_weights(np.array([[0.0, 0.0, 2.0, 3.0, 9.0, 9.0, 9.0, 9.0]], dtype=np.float32))
    np.testing.assert_array_equal(weights[0, :3], 1.0)
    assert weights[0, 3] < 0.01
    np.testing.assert_array_equal(directed_weights(np.zeros((2, 4), dtype=np.float32)), 1.0)


def test_an_edge_is_the_fuzzy_union_of_both_directions():
    rows = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)
    neighbours = nearest_neighbours(rows, 8)
    graph = fuzzy_graph(neighbours)
    dense = np.zeros((60, 60))
    np.put_along_axis(dense, neighbours.ids, directed_weights(neighbours.distances), axis=1)
    union = dense + dense.T - dense * dense.T
    np.testing.assert_allclose(graph.weights, union[graph.sources, graph.targets])
    assert graph.n_edges == int((np.triu(union) > 0).sum())
    assert (graph.sources < graph.targets).all()
    np.testing.assert_allclose(graph.strengths(), union.sum(axis=0))


def test_two_rows_that_name_each_other_are_one_edge():
    neighbours = Neighbours(np.array([[1], [0]]), np.array([[1.0], [1.0]], dtype=np.float32), Metric.EUCLIDEAN)
    graph = fuzzy_graph(neighbours)
    assert (graph.sources.tolist(), graph.targets.tolist(), graph.weights.tolist()) == ([0], [1], [1.0])
