"""The hunt on planted worlds: what must be found is found, what costs nothing is not charged, and it always ends."""

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import RunFailed
from harness.glitch.detectors.glitchhunter import GlitchHunterSettings, KeepRule
from harness.glitch.detectors.glitchhunter.hunt import Hunt, build_graph, hunt
from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.graph.choices import LeidenLibrary

pytestmark = pytest.mark.unit

SETTINGS = GlitchHunterSettings(k=10, resolution=1.0, scale_resolution=False, n_components=8, cluster_rate=0.3)
N_CLUSTERS, PER_CLUSTER = 15, 40
FIRST_ID = 1000


def planted(n_bad: int = 1, stray: int = 0, seed: int = 0) -> tuple[np.ndarray, list[int], dict[int, bool]]:
    """Rows in well separated clusters; the tokens of the first `n_bad` fail, and so do `stray` tokens elsewhere."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(N_CLUSTERS, 16)) * 10
    rows = np.repeat(centres, PER_CLUSTER, axis=0) + rng.normal(size=(N_CLUSTERS * PER_CLUSTER, 16))
    ids = [FIRST_ID + i for i in range(len(rows))]
    bad = set(range(n_bad * PER_CLUSTER)) | {len(rows) - 1 - i * PER_CLUSTER for i in range(stray)}
    return rows.astype(np.float32), ids, {token: i in bad for i, token in enumerate(ids)}


def glitches(verdicts: dict[int, bool]) -> set[int]:
    return {token for token, fails in verdicts.items() if fails}


def run(world: tuple, settings: GlitchHunterSettings = SETTINGS, budget: int | None = None) -> tuple[Hunt, TableOracle]:
    rows, ids, verdicts = world
    oracle = TableOracle(verdicts, budget=budget)
    return hunt(rows, ids, oracle, settings, seed=0), oracle


@pytest.mark.parametrize("library", LeidenLibrary)
@pytest.mark.parametrize("rule", KeepRule)
def test_a_cluster_of_glitch_tokens_is_found_whole_for_a_part_of_the_price(library, rule):
    world = planted(n_bad=2)
    found, oracle = run(world, replace(SETTINGS, library=library, keep=rule))
    assert set(found.found) == glitches(world[2])
    assert found.is_complete
    assert oracle.n_queries < 0.6 * len(world[1])
    kept = [test for test in found.iterations[0].tests if test.is_kept]
    assert sum(test.size for test in kept) == 2 * PER_CLUSTER


def test_the_hunt_ends_when_nothing_changes_and_asks_the_rest_once():
    world = planted(n_bad=1)
    found, oracle = run(world)
    last = found.iterations[-1]
    assert len(last.kept) in (0, len(last.ids))
    assert oracle.n_queries == len(oracle.answers) == sum(i.n_queries for i in found.iterations) + found.n_rest
    assert len(found.found) == sum(i.n_hits for i in found.iterations) + found.rest_hits


def test_every_iteration_hunts_among_what_the_one_before_kept():
    found, _ = run(planted(n_bad=3, stray=4))
    for before, after in zip(found.iterations, found.iterations[1:], strict=False):
        np.testing.assert_array_equal(np.sort(after.ids), before.kept)
    assert [i.number for i in found.iterations] == list(range(1, len(found.iterations) + 1))


def test_curtailing_saves_queries_and_no_verdict():
    found, _ = run(planted(n_bad=1))
    for test in found.iterations[0].tests:
        assert test.queried + test.known <= test.plan.n
        assert test.is_kept == (test.hits >= test.plan.hits_needed)
        certain = test.hits + (test.plan.n - test.queried - test.known) < test.plan.hits_needed
        assert test.is_kept or certain
    assert any(test.queried < test.plan.n for test in found.iterations[0].tests)


def test_without_glitch_tokens_the_hunt_ends_with_nothing():
    found, oracle = run(planted(n_bad=0))
    assert (found.found, found.n_rest, found.rest_hits, found.is_complete) == ((), 0, 0, True)
    assert len(found.iterations) == 1
    assert found.iterations[0].n_kept == 0
    assert oracle.n_queries > 0


def test_where_every_token_fails_all_are_found():
    rows, ids, _ = planted()
    oracle = TableOracle(dict.fromkeys(ids, True))
    found = hunt(rows, ids, oracle, SETTINGS, seed=0)
    assert set(found.found) == set(ids)
    assert len(found.iterations) == 1


def test_a_spent_budget_ends_the_hunt_and_keeps_what_was_found():
    world = planted(n_bad=3)
    found, oracle = run(world, budget=150)
    assert not found.is_complete
    assert oracle.n_queries == 150
    assert set(found.found) == {token for token, fails in oracle.answers.items() if fails}


def test_equal_seeds_hunt_alike_and_others_differently():
    rows, ids, verdicts = planted(n_bad=2, stray=3)
    orders = []
    for seed in (0, 0, 1):
        oracle = TableOracle(verdicts)
        hunt(rows, ids, oracle, SETTINGS, seed)
        orders.append(list(oracle.answers))
    assert orders[0] == orders[1] != orders[2]


def test_k_must_leave_another_token_at_the_start_and_is_clamped_later():
    rows, ids, verdicts = planted(n_bad=1)
    with pytest.raises(ValueError, match="k=600 neighbours among 600 tokens"):
        hunt(rows, ids, TableOracle(verdicts), replace(SETTINGS, k=600), seed=0)
    # A single community at the start is no error either: it is tested as it stands.
    found, _ = run((rows, ids, verdicts), replace(SETTINGS, k=100))
    assert found.iterations[0].k == 100
    assert all(iteration.k <= len(iteration.ids) - 1 for iteration in found.iterations)


@pytest.mark.parametrize("fails", [True, False])
def test_a_single_community_is_tested_and_the_hunt_ends(fails):
    rows = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    oracle = TableOracle(dict.fromkeys(range(200), fails))
    found = hunt(rows, range(200), oracle, replace(SETTINGS, resolution=1e-9), seed=0)
    assert [iteration.n_communities for iteration in found.iterations] == [1]
    assert len(found.found) == (200 if fails else 0)
    assert oracle.n_queries == (200 if fails else 14), "two hits are no longer enough after 14 misses of 16"


def test_rows_left_that_nothing_tells_apart_are_one_community():
    rows, ids, verdicts = planted(n_bad=1)
    rows[:PER_CLUSTER] = rows[0]
    found = hunt(rows, ids, TableOracle(verdicts), SETTINGS, seed=0)
    assert set(found.found) == glitches(verdicts)
    assert build_graph(rows[:PER_CLUSTER], SETTINGS, 0, is_first=False).communities.n_communities == 1
    for few in (1, 2):
        assert build_graph(rows[-few:], SETTINGS, 0, is_first=False).communities.n_communities == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_embeddings_without_sense_are_refused(value):
    rows, ids, verdicts = planted()
    broken = rows.copy()
    broken[7, 3] = value
    with pytest.raises(RunFailed, match="row 7"):
        hunt(broken, ids, TableOracle(verdicts), SETTINGS, seed=0)
    with pytest.raises(RunFailed, match="all 600 rows"):
        hunt(np.ones_like(rows), ids, TableOracle(verdicts), SETTINGS, seed=0)
