"""What is read at the places of tokens under study is what whole sequences say there."""

import numpy as np
import pytest
import torch

from harness.errors import RunFailed
from harness.glitch.copying.copier import N_APPEARANCES, Copier
from harness.glitch.copying.draws import Material, draw_round
from harness.glitch.copying.material import Units, count_units, gather_material
from harness.glitch.copying.reading import CopyReader
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from tests.helpers.copying import HEIGHT, CopyRule

pytestmark = pytest.mark.integration

BOS = 1
ALONE = np.arange(64)


def drawn(seq_len, n_own=3):
    material = Material(ALONE, np.arange(3, 60), np.arange(3, 64))
    return draw_round(material, list(range(40, 52)), n_own, n_own, seq_len, np.random.default_rng(0))


@pytest.mark.parametrize(("n_before", "bos"), [(1, BOS), (3, BOS), (3, None)])
def test_numbers_are_those_of_whole_sequences(checkpoints, n_before, bos):
    model = CausalModel.load(resolve_identity(ModelConfig(name=str(checkpoints["llama"]))), ModelConfig(device="cpu"))
    pairs = drawn(7)
    found = CopyReader(model, 7, bos, n_before=n_before).read(pairs)
    front = [] if bos is None else [bos]
    row = 0
    for number, half in enumerate(pairs.halves):
        tokens = torch.tensor([[*front, *np.tile(half, n_before), *half]])
        logits = model.logits(tokens)[0]
        for place, is_asked in zip(pairs.places, pairs.asked[number], strict=True):
            if not is_asked:
                continue
            expected = logits[len(front) + n_before * 7 + place - 1]
            target, foil = half[place], pairs.halves[number ^ 1][place]
            others = torch.cat([expected[:target], expected[target + 1 :]])
            assert found["ids"][row] == target
            assert found["logprob"][row] == pytest.approx(float(expected.log_softmax(-1)[target]), abs=1e-4)
            assert found["margin"][row] == pytest.approx(float(expected[target] - others.max()), abs=1e-4)
            assert found["logit_diff"][row] == pytest.approx(float(expected[target] - expected[foil]), abs=1e-4)
            assert found["rank"][row] == 1 + int((others >= expected[target]).sum())
            row += 1
    assert row == len(found["ids"]) == 12


def test_more_occurrences_need_more_room(checkpoints):
    model = CausalModel.load(resolve_identity(ModelConfig(name=str(checkpoints["gpt2"]))), ModelConfig(device="cpu"))
    CopyReader(model, 8, None, n_before=3)
    with pytest.raises(RunFailed, match="sequences of 33 tokens do not fit the model's window of 32"):
        CopyReader(model, 8, BOS, n_before=3)


def test_a_copier_asks_each_as_often_and_by_majority():
    misread = frozenset({41, 50})
    rule = CausalModel(CopyRule(400, misread), 200)
    material = Material(np.arange(400), np.arange(100, 400), np.arange(400))
    copier = Copier(CopyReader(rule, 24, None, has_control=False), material, seed=0)
    for failed_before in (False, True):
        copies = copier.ask([50, 41, 42, 43], 7, failed_before)
        assert dict(zip(copies.ids.tolist(), copies.passed.tolist(), strict=True)) == {
            41: False, 42: True, 43: True, 50: False,
        }  # fmt: skip
        assert copies.margin[copies.passed].tolist() == [HEIGHT, HEIGHT]
        assert copies.n_positions % N_APPEARANCES == 0
    assert len(copier.ask([], 7, False).ids) == 0


def test_material_is_one_of_every_unit():
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    rows[[7, 9]] = rows[3]
    units = Units.of(rows)
    assert units.lowest[[3, 7, 9, 4]].tolist() == [3, 3, 3, 4]
    assert units.size[[3, 7, 9, 4]].tolist() == [3, 3, 3, 1]
    assert count_units(range(50), units.lowest) == 48
    few = gather_material(range(50), [3, 7, 9, 10], units.lowest, 20)
    assert few is not None and len(few.companions) == 48, "too few well-known ones: all keep company"
    some = gather_material(range(50), [3, 7, 9, 10, 11], units.lowest, 3)
    assert some is not None and some.companions.tolist() == [3, 10, 11]
    assert gather_material(range(50), [3], units.lowest, 49) is None
