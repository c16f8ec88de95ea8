"""When `active_census` looks again at tokens that failed, and what it learns from it."""

import numpy as np
import pytest

from harness.glitch.detectors._active_search import ActiveSearch
from harness.glitch.detectors._features import build_features
from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.detectors.price import QueryPrice
from tests.helpers.planted_tokens import planted_view

pytestmark = pytest.mark.unit

N = 300


def planted():
    """A quarter fail a query; those of them that failed by less than 0.4 logits pass in a further wording."""
    view, fails = planted_view(N, price=QueryPrice(2.0, 4, 20))
    margin = np.where(fails, -np.random.default_rng(3).uniform(0.0, 2.0, N), 2.0)
    return view, fails, margin, fails & (margin < -0.4)


def opener(fails, margin, real):
    def oracle():
        ids = range(N)
        return TableOracle(
            dict(zip(ids, fails.tolist(), strict=True)), tokens_per_query=4,
            margins=dict(zip(ids, margin.tolist(), strict=True)), settled=dict(zip(ids, real.tolist(), strict=True)),
            settling=dict.fromkeys(ids, 20),
        )  # fmt: skip

    return oracle


def searched(uses_margins=True):
    view, fails, margin, real = planted()
    ledger = Ledger(view, opener(fails, margin, real)(), None)
    search = ActiveSearch(view, ledger, build_features(view, 4, 4), 5, uses_margins, 0)
    ledger.query(view.ids.tolist())
    search.learn()
    return search, fails, margin, real


def test_the_narrowest_failures_come_first():
    search, fails, margin, _ = searched()
    search.settle()
    settled = sorted(search.ledger.settled)
    assert settled
    others = [i for i in np.flatnonzero(fails).tolist() if i not in settled]
    assert margin[settled].min() >= margin[others].max()


def test_where_failing_begins_to_last_is_learnt():
    search, _, _, _ = searched()
    before, _ = search._chance_to_last(np.empty(0))
    for _ in range(30):
        search.settling = 0
        search.settle()
    boundary, chance = search._chance_to_last(np.array([-0.05, -1.5]))
    assert abs(boundary + 0.4) < abs(before + 0.4)
    assert boundary == pytest.approx(-0.4, abs=0.15)
    assert chance[0] < 0.2 < 0.9 < chance[1]


def test_second_looks_take_the_wrong_ones_off_the_list():
    view, fails, margin, real = planted()
    looks = ActiveCensus(n_trees=5, n_components=4, n_neighbours=4)
    blunt = opener(fails, margin, fails)
    sharp, dull = (
        looks.detect(view, how, [N * 4 + 600], 0)[0].predicted for how in (opener(fails, margin, real), blunt)
    )
    wrong = [int((~real[found]).sum()) for found in (sharp, dull)]
    assert wrong[0] < wrong[1] / 2


def test_nothing_is_spent_on_them_while_others_are_in_greater_doubt():
    search, _, _, _ = searched()
    search._expected_mistakes = lambda: 1e9
    before = search.ledger.tokens_processed
    search.settle()
    assert search.ledger.tokens_processed == before
