"""What each method makes of tokens that training never showed, on pocket."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.glitch.repair.choices import End, GradientSettings, Half, ProberSettings, Start
from harness.glitch.repair.glitchprober import GlitchProberRepair
from harness.glitch.repair.gradient import GradientRows
from harness.glitch.repair.mean_rows import MeanRows
from harness.glitch.repair.mlp_parts import find_mlp_parts
from harness.glitch.repair.piece_rows import PieceRows, pieces_of
from harness.glitch.repair.random_rows import RandomRows
from harness.glitch.repair.rescaled_rows import RescaledRows
from harness.glitch.repair.spelling_rows import SpellingRows
from harness.models.answers.steered import Scope

pytestmark = pytest.mark.integration

TOKENS = torch.tensor([[300, 400, 500, 600]])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def ids_of(patient) -> list[int]:
    return sorted(patient.suspects)


def test_a_mean_row_is_that_of_all_healthy_tokens(patient) -> None:
    mending = MeanRows(End.BOTH).mend(patient, ids_of(patient), rng())
    expected = patient.model.embedding()[torch.from_numpy(patient.healthy)].mean(0)
    assert patient.suspects.isdisjoint(patient.healthy.tolist())
    torch.testing.assert_close(mending.rows.input, expected.repeat(len(mending.rows.ids), 1))
    # One row for both ends: a tied model stays tied.
    assert mending.rows.output is mending.rows.input
    assert not mending.rows.unties(patient.model)


@pytest.mark.parametrize(("end", "has"), [(End.INPUT, (True, False)), (End.OUTPUT, (False, True))])
def test_one_end_leaves_the_other_alone(patient, end, has) -> None:
    rows = MeanRows(end).mend(patient, ids_of(patient), rng()).rows
    assert (rows.input is not None, rows.output is not None) == has
    assert rows.unties(patient.model)


def test_rescaled_rows_keep_their_direction(patient) -> None:
    ids = ids_of(patient)
    rows = RescaledRows(End.INPUT).mend(patient, ids, rng()).rows.input
    torch.testing.assert_close(rows.norm(dim=1), torch.full((len(ids),), patient.ends[0].norm), rtol=1e-4, atol=0)
    own = patient.model.embedding()[ids]
    torch.testing.assert_close(torch.cosine_similarity(rows, own), torch.ones(len(ids)))


def test_random_rows_are_as_far_from_the_mean_as_well_known_ones_and_all_different(patient) -> None:
    source = patient.ends[0]
    rows = RandomRows(End.BOTH).mend(patient, ids_of(patient), rng()).rows.input
    torch.testing.assert_close((rows - source.mean).norm(dim=1), torch.full((len(rows),), source.deviation))
    assert len(torch.unique(rows, dim=0)) == len(rows)


def test_pieces_give_the_text_back_without_the_token(patient) -> None:
    for token in ids_of(patient):
        pieces = pieces_of(patient, token)
        assert token not in pieces
        assert len(pieces) > 1
        assert patient.tokenizer.decode(pieces) == patient.vocabulary.text(token)
    # A byte that is only part of a character has none.
    assert pieces_of(patient, 129) == []


def test_tokens_without_pieces_are_left_as_they_are(patient) -> None:
    mending = PieceRows(End.BOTH).mend(patient, [*ids_of(patient), 129], rng())
    assert mending.left_out == (129,)
    token = mending.rows.ids[0]
    expected = patient.model.embedding()[pieces_of(patient, token)].mean(0)
    torch.testing.assert_close(mending.rows.input[0], expected)


def test_spelling_takes_healthy_tokens_that_share_signs(patient) -> None:
    token = ids_of(patient)[0]
    mending = SpellingRows(End.BOTH).mend(patient, [token, 129], rng())
    assert mending.rows.ids == (token,)
    alone = replace(patient, suspects=frozenset(range(patient.facts.d_vocab)) - {260})
    near = SpellingRows(End.BOTH).mend(alone, [token], rng())
    if near.rows.ids:
        torch.testing.assert_close(near.rows.input[0], patient.model.embedding()[260])


def test_gradient_steps_change_the_rows_of_the_tokens_alone_and_help(patient) -> None:
    before = {name: one.clone() for name, one in patient.model.backend.named_parameters()}
    settings = GradientSettings(n_rounds=8, learning_rates=(0.1,), starts=(Start.RANDOM,))
    method = GradientRows(settings).fitted(patient)
    mending = method.mend(patient, ids_of(patient), rng())
    assert mending.rows.ids
    assert mending.n_positions > 0
    for name, one in patient.model.backend.named_parameters():
        assert torch.equal(one, before[name])

    def passing(model) -> int:
        ladder = patient.ladder.on(model)
        echo = next(wording for wording in ladder.wordings if wording.name == "echo_3")
        return int(ladder.ask(echo, ids_of(patient)).passed.sum())

    untouched = passing(patient.model)
    with mending.on(patient.model, Scope.ANSWERS) as model:
        mended = passing(model)
    assert untouched <= 2
    assert mended >= len(patient.suspects) - 2
    # Planted: rows given to the wrong tokens mend nothing.
    wrong = replace(mending, rows=replace(mending.rows, input=mending.rows.input.roll(1, 0), output=None))
    with wrong.on(patient.model, Scope.ANSWERS) as model:
        assert passing(model) < mended


def test_settings_are_chosen_from_those_given_and_by_fitting_tokens_alone(patient) -> None:
    settings = GradientSettings(n_rounds=2, learning_rates=(1e-6, 0.1), starts=(Start.RANDOM,))
    chosen = GradientRows(settings).fitted(patient)
    assert chosen.settings.learning_rates in ((1e-6,), (0.1,))
    assert len(chosen.settings.starts) == 1
    nobody = replace(patient, fitting_ids=())
    assert GradientRows(settings).fitted(nobody).settings.learning_rates == (1e-6,)


def test_glitchprober_changes_answers_and_no_weights(patient) -> None:
    parts = find_mlp_parts(patient.model.backend, 0.0, 1.0)
    assert parts is not None
    assert len(parts.gate) == 3
    assert not parts.data
    method = GlitchProberRepair(ProberSettings(n_normal=40), Half.BOTH)
    assert method.obstacle(patient) is None
    mending = method.mend(patient, ids_of(patient), rng())
    assert 2 <= mending.facts["gate/alpha"] <= 5
    assert 0 <= mending.facts["gate/beta"] <= 3
    plain = patient.model.logits(TOKENS)
    with mending.on(patient.model, Scope.TEXT) as model:
        assert not torch.allclose(model.logits(TOKENS), plain)
    torch.testing.assert_close(patient.model.logits(TOKENS), plain)


def test_each_half_of_glitchprober_does_its_own_part() -> None:
    method = GlitchProberRepair(ProberSettings(), Half.BOTH)
    # Neuron 0 is active for every well-known token, neuron 1 for none, neuron 2 for some.
    normal, glitch = torch.tensor([[2.0, 0.5, 0.0], [4.0, 0.5, 3.0]]), torch.tensor([[2.96, 2.0, 0.0]])
    change = method._change([normal], [glitch])
    assert change.up[0].tolist() == [True, False, False]
    assert change.down[0].tolist() == [False, True, False]
    assert change.beta == pytest.approx(0.5 + 25 * 0.04, abs=1e-4)
    # The ratio is 4, twice that is 8, and 5 is the most.
    assert change.alpha == 5
    values = torch.tensor([-1.0, 2.0, 2.0])
    found = {half: next(iter(change.edits(half)))(values).tolist() for half in Half}
    assert found[Half.SUPPRESS] == pytest.approx([-1, 0.4, 2])
    assert found[Half.BOOST] == pytest.approx([2.5, 2, 2], abs=1e-4)
    assert found[Half.BOTH] == pytest.approx([2.5, 0.4, 2], abs=1e-4)
