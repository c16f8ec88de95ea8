"""Exact neighbours against a plain search in double precision, on rows that tempt a fast search to be wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RunFailed
from harness.glitch.graph import neighbours as module
from harness.glitch.graph.choices import Metric
from harness.glitch.graph.neighbours import Neighbours, nearest_neighbours
from harness.glitch.graph.space import principal_components

pytestmark = pytest.mark.unit


def plain_search(rows: np.ndarray, k: int, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    points = rows.astype(np.float64)
    if metric is Metric.COSINE:
        points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    near = np.take_along_axis(squared, order, axis=1)
    return order, near / 2 if metric is Metric.COSINE else np.sqrt(near)


def assert_exact(rows: np.ndarray, k: int, metric: Metric = Metric.EUCLIDEAN, n_threads: int = 1) -> Neighbours:
    found = nearest_neighbours(rows, k, metric, n_threads)
    ids, distances = plain_search(rows, k, metric)
    np.testing.assert_allclose(found.distances, distances, rtol=2e-5, atol=1e-6)
    assert all(set(a) == set(b) for a, b in zip(found.ids.tolist(), ids.tolist(), strict=True))
    return found


def clustered(n: int, d: int, spread: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(8, d)) * 3
    return (centres[rng.integers(0, 8, n)] + spread * rng.normal(size=(n, d))).astype(np.float32)


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("spread", [3.0, 0.3, 1e-4])
def test_no_neighbour_is_missed(spread, metric):
    # 1e-4: squared distances far below the rounding of sums around the origin, as among collapsed rows.
    assert_exact(clustered(1300, 12, spread), 15, metric)


def test_rows_far_from_the_origin_keep_their_neighbours():
    rows = clustered(700, 6, 1.0)
    far = rows + np.float32(1000)
    assert_exact(far, 10)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_more_than_one_tile_and_more_than_one_thread(n_threads, monkeypatch):
    monkeypatch.setattr(module, "_TILE", 64)
    monkeypatch.setattr(module, "_LEAST_CANDIDATES", 40)
    assert_exact(clustered(500, 5, 1.0), 7, n_threads=n_threads)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 90), d=st.integers(1, 5), seed=st.integers(0, 99), data=st.data())
def test_any_small_set_of_rows(n, d, seed, data):
    k = data.draw(st.integers(1, n - 1))
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    found = assert_exact(rows, k)
    assert (np.arange(n)[:, None] != found.ids).all()
    assert (np.diff(found.distances, axis=1) >= 0).all()


def test_many_equal_rows_have_each_other_and_the_lowest_ids_stand_for_them():
    rows = np.concatenate([np.zeros((600, 3)), np.random.default_rng(0).normal(size=(50, 3)) + 5]).astype(np.float32)
    found = nearest_neighbours(rows, 4)
    assert found.ids[599].tolist() == [0, 1, 2, 3]
    assert found.ids[0].tolist() == [1, 2, 3, 4]
    assert (found.distances[:600] == 0).all()
    assert (found.ids[600:] >= 600).all()


def test_pairs_kept_stay_few_where_tens_of_thousands_of_rows_have_collapsed(monkeypatch):
    counted = []
    original = module._near_enough

    def counting(row, *others):
        counted.append(len(row))
        return original(row, *others)

    monkeypatch.setattr(module, "_near_enough", counting)
    rng = np.random.default_rng(0)
    collapsed = 1.0 + 1e-5 * rng.normal(size=(4000, 16))
    rows = np.concatenate([collapsed, rng.normal(size=(1000, 16))]).astype(np.float32)
    nearest_neighbours(rows, 10)
    assert sum(counted) < 100 * len(rows)


@pytest.mark.parametrize("k", [0, 5, 6])
def test_k_must_leave_another_row(k):
    with pytest.raises(ValueError, match=f"k={k} neighbours among 5 rows"):
        nearest_neighbours(np.eye(5, dtype=np.float32), k)


def test_rows_without_sense_are_refused_in_words():
    with pytest.raises(RunFailed, match="all 6 rows"):
        nearest_neighbours(np.ones((6, 2), dtype=np.float32), 2)
    broken = np.eye(6, dtype=np.float32)
    broken[4, 0] = np.nan
    with pytest.raises(RunFailed, match="row 4"):
        nearest_neighbours(broken, 2)
    zero = np.eye(6, dtype=np.float32)
    zero[3] = 0
    with pytest.raises(RunFailed, match="have no direction"):
        nearest_neighbours(zero, 2, Metric.COSINE)


def test_principal_components_keep_distances_when_all_are_kept():
    rows = clustered(200, 6, 1.0)
    reduced = principal_components(rows, 6)
    np.testing.assert_allclose(
        np.linalg.norm(reduced[:100] - reduced[100:], axis=1),
        np.linalg.norm(rows[:100] - rows[100:], axis=1),
        rtol=1e-4,
    )
    variances = reduced.var(axis=0)
    assert (np.diff(variances) <= 1e-4).all()


def test_directions_without_variance_are_no_components():
    line = np.outer(np.arange(10), [1.0, 2.0, 3.0]).astype(np.float32)
    assert principal_components(line, 50).shape == (10, 1)
