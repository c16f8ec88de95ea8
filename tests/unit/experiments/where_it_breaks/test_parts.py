"""Parts of where_it_breaks on small cases that are known beforehand."""

import dataclasses

import numpy as np
import pytest
import torch

from experiments.where_it_breaks.choosing import Plan, Studied, replaced
from experiments.where_it_breaks.config import WhereItBreaksConfig, studied_pools
from experiments.where_it_breaks.decoding import decode
from experiments.where_it_breaks.interventions import INTERVENTIONS, Rows
from experiments.where_it_breaks.metrics import PoolAnswer, all_metrics, pool_arrays, prefix_of
from experiments.where_it_breaks.passes import Sequences, read
from experiments.where_it_breaks.rows import End
from experiments.where_it_breaks.stages import Names
from harness.errors import Rejected
from harness.glitch.copying.draws import Material, Pairs
from harness.runs.config.schema import RunConfig
from harness.tokens.pools import Pool

pytestmark = pytest.mark.unit

D_VOCAB = 200


def studied(n: int = 10, name: str = "unused") -> Studied:
    """Tokens 0 to n - 1, partners from 50 on, other partners from 70 on, companions from 100 on."""
    return Studied(
        name, np.arange(n), np.arange(50, 50 + n), np.arange(70, 70 + n), np.arange(n), np.arange(50, D_VOCAB),
        Material(np.arange(D_VOCAB), np.arange(100, D_VOCAB), np.zeros(0, dtype=np.int64)), n, "anywhere",
    )  # fmt: skip


def plan(*pools: Studied, n_own: int = 4, seq_len: int = 10) -> Plan:
    common = Pool("common", (), "", "well-known", is_proxy=False)
    return Plan(pools, None, seq_len, n_own, 3, 7, common)


def test_partners_stand_in_the_same_places_of_equal_sequences():
    one = studied()
    halves = plan(one).draw(one, 0).halves
    own, partners = (np.isin(halves, ids) for ids in (one.ids, one.partners))
    assert own.sum() == 10
    assert not partners.any()
    changed = replaced(halves, one.ids, one.partners)
    np.testing.assert_array_equal(changed[~own], halves[~own])
    np.testing.assert_array_equal(changed[own], halves[own] + 50)


def test_appearances_differ_and_are_drawn_again_alike():
    one = studied()
    first, second = (plan(one).draw(one, number).halves for number in (0, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, plan(one).draw(one, 0).halves)


@pytest.mark.parametrize("n", [2, 5, 10, 23])
def test_mixed_halves_have_cues_that_are_no_targets_of_the_pair(n):
    one = studied(n)
    found = plan(one).draw_mixed(one, 0)
    seen = []
    for pairs in found:
        assert len(pairs.halves) == 2
        cues = pairs.halves[:, pairs.places - 1][pairs.asked]
        targets = pairs.targets[pairs.asked]
        assert set(cues) <= set(one.ids.tolist())
        assert not set(cues) & set(targets)
        both = pairs.halves[np.isin(pairs.halves, one.ids)]
        assert len(set(both)) == len(both), "no token stands twice in a pair"
        seen += targets.tolist()
    assert len(set(seen)) == len(seen)
    assert len(seen) >= n - len(found)


def test_a_single_token_has_no_mixed_halves():
    one = studied(1)
    assert plan(one).draw_mixed(one, 0) == []


def test_sequences_repeat_a_half_after_itself_and_after_the_other():
    pairs = Pairs(np.array([[100, 0, 101, 1], [102, 2, 103, 3]]), np.array([1, 3]), np.ones((2, 2), dtype=bool))
    found = Sequences.of(pairs, np.arange(4), True, bos_id=9)
    assert found.tokens.tolist() == [
        [9, 100, 0, 101, 1, 100, 0, 101, 1],
        [9, 102, 2, 103, 3, 102, 2, 103, 3],
        [9, 102, 2, 103, 3, 100, 0, 101, 1],
        [9, 100, 0, 101, 1, 102, 2, 103, 3],
    ]
    assert found.reads == (5, 7)
    assert found.foils.tolist() == [[2, 3], [0, 1]]
    assert found.studied.sum() == 16


def test_the_identity_effect_is_the_targets_rise_over_its_foils():
    pairs = Pairs(np.array([[100, 0, 101, 1], [102, 2, 103, 3]]), np.array([1, 3]), np.ones((2, 2), dtype=bool))
    sequences = Sequences.of(pairs, np.arange(4), True, None)
    logits = torch.zeros(4, 2, D_VOCAB)
    # After their own first half all tokens of the kind rise by 5, the target of the first place by 2 more.
    logits[:2, :, :4] = 5.0
    logits[0, 0, 0] = 7.0
    found = read(logits, sequences)
    np.testing.assert_allclose(found.identity, [[2.0, 0.0], [0.0, 0.0]], atol=1e-6)
    assert (found.copy_effect > 1).all(), "a copy effect alone is also the whole kind's"
    assert found.copied.tolist() == [[True, False], [False, False]]


def test_without_tokens_asked_in_the_other_half_foils_are_whoever_stands_there():
    asked = np.array([[True, True], [False, False]])
    pairs = Pairs(np.array([[100, 0, 101, 1], [102, 104, 103, 105]]), np.array([1, 3]), asked)
    assert Sequences.of(pairs, np.arange(4), True, None).foils.tolist() == [[104, 105], [0, 1]]


def end(matrix: torch.Tensor, n: int = 2) -> End:
    some = dataclasses.replace(
        studied(n), pool=np.arange(2), partners=np.array([2, 3]), common=np.array([2, 3]), ids=np.arange(2)
    )
    return End.of(matrix, some, seed=0)


def test_rows_are_rescaled_mended_and_random_as_they_say():
    # Common rows 2 and 3 lie 3 to either side of (10, 0), the pool's 0 and 1 a tenth to either side of (0, 1).
    matrix = torch.tensor([[0.1, 1.0], [-0.1, 1.0], [10.0, 3.0], [10.0, -3.0]])
    found = end(matrix)
    torch.testing.assert_close(found.direction, torch.tensor([-10.0, 1.0]) / 101**0.5)
    rescaled = found.changed(Rows.RESCALED, np.arange(2), of_pool=True)
    torch.testing.assert_close(rescaled.norm(dim=1), torch.full((2,), 109**0.5))
    torch.testing.assert_close(rescaled[:, 0] / rescaled[:, 1], torch.tensor([0.1, -0.1]))
    mended = found.changed(Rows.MENDED, np.arange(2), of_pool=True)
    torch.testing.assert_close(mended, torch.tensor([[13.0, 0.0], [7.0, 0.0]]))
    # A partner is mended by what is its own: it keeps its row here, where all deviate as much.
    torch.testing.assert_close(found.changed(Rows.MENDED, np.array([2, 3]), of_pool=False), matrix[2:])
    random = found.changed(Rows.RANDOM, np.arange(2), of_pool=True)
    torch.testing.assert_close((random - torch.tensor([10.0, 0.0])).norm(dim=1), torch.full((2,), 3.0))


def test_rows_that_are_all_equal_have_nothing_to_mend():
    matrix = torch.tensor([[0.0, 1.0], [0.0, 1.0], [10.0, 3.0], [10.0, -3.0]])
    mended = end(matrix).changed(Rows.MENDED, np.arange(2), of_pool=True)
    torch.testing.assert_close(mended, torch.tensor([[10.0, 0.0], [10.0, 0.0]]))


def test_states_tell_tokens_apart_only_by_what_recurs():
    rng = np.random.default_rng(0)
    who, company = rng.normal(size=(6, 40)), rng.normal(size=(3, 6, 40))
    nearest, farther = decode(100 + who + 0.1 * company)
    assert nearest.tolist() == [1.0] * 6
    assert farther.tolist() == [1.0] * 6
    nearest, farther = decode(100 + rng.normal(size=(50, 6, 40)))
    assert abs(nearest.mean() - 1 / 6) < 0.07
    assert abs(farther.mean() - 0.5) < 0.07
    # Equal states tell nothing, however often they recur.
    nearest, farther = decode(np.ones((3, 6, 40)))
    assert nearest.tolist() == [0.0] * 6
    assert farther.tolist() == [0.5] * 6


def answer(own: np.ndarray, partner: np.ndarray, fixed: np.ndarray, prefix: str = "") -> PoolAnswer:
    one = studied(len(own))
    names = Names(tuple(i for i in INTERVENTIONS if i.name == "rescale_both"), (), (), ())
    # Two draws, equal ones.
    own, partner, fixed = (np.stack([values, values], axis=1) for values in (own, partner, fixed))
    values = {"own": own, "partner": partner, "rescale_both": fixed}
    share = {name: np.zeros(own.shape) for name in values}
    logprob = {"own": own, "partner": partner}
    control = {"rescale_both": partner / 2}
    return PoolAnswer(
        one, prefix, names, values, values, share, control, logprob,
        attention={}, lens={}, attribution={}, circuits={}, decoded={}, mixed=None, mixed_attention=None,
        mixed_matched=None,
    )  # fmt: skip


def test_restored_is_the_share_of_what_was_lost():
    own, partner = np.linspace(0, 1, 10), np.linspace(10, 11, 10)
    found = all_metrics([answer(own, partner, own + 4)], seed=0)
    assert found["lost"] == pytest.approx(10)
    assert found["restored/rescale_both"] == pytest.approx(0.4)
    assert found["restored/rescale_both/ci_low"] == pytest.approx(0.4)
    assert found["control/rescale_both"] == pytest.approx(0.5)


@pytest.mark.parametrize("partner", [np.array([-3.0, 4.0] * 5), np.zeros(10)])
def test_a_share_of_what_may_be_nothing_is_not_given(partner):
    found = all_metrics([answer(np.zeros(10), partner, np.ones(10))], seed=0)
    assert found["restored/rescale_both"] is None
    assert found["control/rescale_both"] is None
    assert found["loses"] == 0
    assert found["copied/rescale_both"] == 0


def test_several_pools_have_their_names_in_front():
    pools = (studied(name="a"), studied(name="b"))
    assert [prefix_of(pools[0], pools), prefix_of(pools[0], pools[:1])] == ["a/", ""]
    found = all_metrics([answer(np.zeros(4), np.ones(4), np.ones(4), "a/")], seed=0)
    assert found["a/restored/rescale_both"] == 1


def test_arrays_hold_what_metrics_are_of():
    arrays = pool_arrays(answer(np.zeros(4), np.ones(4), np.full(4, 0.5)))
    assert arrays["unused/identity/rescale_both"].tolist() == [0.5] * 4
    assert arrays["unused/partners"].tolist() == [50, 51, 52, 53]


def test_common_alone_is_refused():
    with pytest.raises(Rejected, match="pools: got common, allowed: at least one besides common"):
        studied_pools(RunConfig("where_it_breaks", WhereItBreaksConfig(), pools={"common": "auto"}))
