"""Who stands where: each token once a round, after a companion, never beside one it can be mistaken for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.glitch.copying.draws import Material, deal, draw_places, draw_round

pytestmark = pytest.mark.unit

D_VOCAB, SEQ_LEN, N_OWN = 200, 12, 6
ALONE = np.arange(D_VOCAB)
COMPANIONS = np.arange(150, 200)
NOBODY = np.zeros(0, dtype=np.int64)


def rng(*seed):
    return np.random.default_rng([7, *seed])


class TestRound:
    def test_every_token_is_asked_once_and_no_half_has_a_token_twice(self):
        ids = list(range(100))
        pairs = draw_round(Material(ALONE, COMPANIONS, NOBODY), ids, N_OWN, N_OWN, SEQ_LEN, rng())
        assert sorted(pairs.targets[pairs.asked].tolist()) == ids
        # 100 tokens, at most 12 a pair.
        assert len(pairs.halves) == 2 * 9
        for a, b in zip(pairs.halves[::2], pairs.halves[1::2], strict=True):
            assert len(set(a) | set(b)) == 2 * SEQ_LEN

    def test_a_token_follows_a_companion_and_none_stands_first(self):
        pairs = draw_round(Material(ALONE, COMPANIONS, NOBODY), range(96), N_OWN, N_OWN, SEQ_LEN, rng())
        assert pairs.asked.all()
        assert pairs.places.min() >= 1
        assert np.isin(pairs.halves[:, pairs.places - 1], COMPANIONS).all()

    def test_a_companion_that_is_asked_keeps_itself_no_company(self):
        pairs = draw_round(Material(ALONE, COMPANIONS, NOBODY), COMPANIONS.tolist(), N_OWN, N_OWN, SEQ_LEN, rng())
        for a, b in zip(pairs.halves[::2], pairs.halves[1::2], strict=True):
            assert len(set(a) | set(b)) == 2 * SEQ_LEN

    def test_other_rounds_are_other_company(self):
        material = Material(ALONE, COMPANIONS, NOBODY)
        before = [draw_round(material, range(96), N_OWN, N_OWN, SEQ_LEN, rng(turn)) for turn in range(2)]
        cues = [
            dict(zip(p.targets.ravel().tolist(), p.halves[:, p.places - 1].ravel().tolist(), strict=True))
            for p in before
        ]
        same = [token for token in range(96) if cues[0][token] == cues[1][token]]
        assert len(same) < 12

    def test_what_coincides_never_meets_in_a_pair(self):
        unit_of = ALONE.copy()
        unit_of[10:30], unit_of[40:43], unit_of[150] = 10, 40, 10
        pairs = draw_round(Material(unit_of, COMPANIONS, NOBODY), range(60), N_OWN, N_OWN, SEQ_LEN, rng())
        assert sorted(pairs.targets[pairs.asked].tolist()) == list(range(60))
        # Twenty that are one: as many pairs.
        assert len(pairs.halves) == 2 * 20
        for a, b in zip(pairs.halves[::2], pairs.halves[1::2], strict=True):
            assert len(set(unit_of[a]) | set(unit_of[b])) == 2 * SEQ_LEN

    def test_bystanders_fill_what_few_asked_leave(self):
        pairs = draw_round(Material(ALONE, COMPANIONS, np.arange(50, 150)), range(20), 1, N_OWN, SEQ_LEN, rng())
        assert len(pairs.halves) == 20
        assert (pairs.asked.sum(axis=1) == 1).all()
        others = pairs.targets[~pairs.asked]
        assert ((others >= 50) & (others < 150)).all()

    def test_too_few_companions_are_an_error(self):
        with pytest.raises(ValueError, match="companions are fewer than the 12 of a pair"):
            draw_round(Material(ALONE, COMPANIONS[:8], NOBODY), range(12), N_OWN, N_OWN, SEQ_LEN, rng())


@given(st.integers(2, 40), st.data())
@settings(max_examples=50, deadline=None)
def test_places_are_never_the_first_and_apart_where_there_is_room(seq_len, data):
    n_own = data.draw(st.integers(1, seq_len - 1))
    places = draw_places(n_own, seq_len, rng(data.draw(st.integers(0, 1000))))
    assert len(places) == n_own
    assert places.min() >= 1 and places.max() < seq_len
    assert (np.diff(places) >= (2 if n_own <= seq_len // 2 else 1)).all()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_groups_hold_everybody_once_and_nobody_twice(units, capacity):
    unit_of = np.array(units)
    groups = deal(np.arange(len(units)), unit_of, capacity)
    assert sorted(token for group in groups for token in group.tolist()) == list(range(len(units)))
    assert all(1 <= len(group) <= capacity for group in groups)
    assert all(len(set(unit_of[group])) == len(group) for group in groups)
    assert len(groups) == max(-(-len(units) // capacity), max(units.count(unit) for unit in units))
