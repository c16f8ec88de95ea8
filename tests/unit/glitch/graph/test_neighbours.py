"""Exact neighbours against a plain search in double precision, on rows that tempt a fast search to be wrong."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

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


def assert_exact(rows: np.ndarray, k: int, metric: Metric = Metric.EUCLIDEAN) -> Neighbours:
    found = nearest_neighbours(rows, k, metric)
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


@pytest.mark.parametrize("spread", [1.0, 1e-5])
def test_candidates_measured_a_few_rows_at_a_time(spread, monkeypatch):
    monkeypatch.setattr(module, "_MEASURED_AT_ONCE", 1000)
    assert_exact(clustered(500, 5, spread), 7)


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


@pytest.mark.parametrize("n_collapsed", [300, 1200])
def test_rows_that_have_all_but_collapsed_to_one_point_keep_their_neighbours(n_collapsed):
    rng = np.random.default_rng(0)
    collapsed = 1.0 + 1e-5 * rng.normal(size=(n_collapsed, 16))
    assert_exact(np.concatenate([collapsed, rng.normal(size=(1500 - n_collapsed, 16))]).astype(np.float32), 10)


@pytest.mark.parametrize("metric", Metric)
def test_of_equally_far_rows_the_first_are_the_neighbours(metric):
    found = nearest_neighbours(np.eye(120, dtype=np.float32), 5, metric)
    assert found.ids[:7].tolist() == [[i for i in range(7) if i != row][:5] for row in range(7)]
    assert (found.ids[7:] == np.arange(5)).all()


def test_rows_equally_far_in_single_precision_are_told_apart_in_double():
    rng = np.random.default_rng(0)
    # All at distance 1 from row 0, but for what a squared distance in single precision cannot show.
    directions = np.eye(100, dtype=np.float32)
    directions[np.arange(100), (np.arange(100) + 1) % 100] = 2e-6 * rng.permutation(np.arange(1, 101))
    rows = np.concatenate([np.zeros((1, 100), dtype=np.float32), directions])
    assert (np.square(rows[1:]).sum(axis=1) == 1).all()
    assert set(nearest_neighbours(rows, 5).ids[0]) == set(plain_search(rows, 5, Metric.EUCLIDEAN)[0][0])


def test_rows_nearer_than_single_precision_can_square_are_still_told_apart():
    rows = np.zeros((300, 2), dtype=np.float32)
    rows[:, 0] = np.random.default_rng(0).permutation(300) * 1e-30
    found = nearest_neighbours(rows, 2)
    for row, ids in enumerate(found.ids):
        order = np.argsort(np.abs(rows[:, 0].astype(np.float64) - rows[row, 0]), kind="stable")
        assert set(ids) <= set(order[1:4])


def test_threads_of_other_libraries_stay_as_they_were():
    before = threadpool_info()
    nearest_neighbours(clustered(500, 5, 1.0), 7)
    assert threadpool_info() == before


@pytest.mark.parametrize("first", ["torch", "faiss"])
def test_torch_and_faiss_work_in_one_process_whichever_is_imported_first(first):
    words = (
        f"import {first}, torch, numpy as np\n"
        "from harness.glitch.graph.neighbours import nearest_neighbours\n"
        "threads = torch.get_num_threads()\n"
        "rows = torch.randn(3000, 8)\n"
        "nearest_neighbours(rows.numpy(), 5)\n"
        "assert torch.isfinite(rows @ rows.T).all() and torch.get_num_threads() == threads\n"
    )
    subprocess.run([sys.executable, "-c", words], check=True)


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
    with pytest.raises(RunFailed, match="so large that their distances"):
        nearest_neighbours(np.eye(6, dtype=np.float32) * np.float32(1e30), 2)
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
