"""Second halves after first halves that were read once say what whole sequences say."""

import pytest
import torch

from harness.errors import RunFailed
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.reuse import ReuseTrials
from harness.models.answers.second_halves import SecondHalves
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from tests.helpers.zoo import ROWS, save_model

pytestmark = pytest.mark.integration

PLACES = (0, 3, 4, 9)


def load(folder):
    config = ModelConfig(name=str(folder), device="cpu")
    return CausalModel.load(resolve_identity(config), config)


def drawn(model, n_first, n_second, n_rows=3):
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(model.d_vocab, (n_rows, n), generator=generator) for n in (n_first, n_second, n_second)]


def assert_equal_to_whole_passes(model, n_first, n_second=10):
    first, *seconds = drawn(model, n_first, n_second)
    halves = SecondHalves(model, n_first, n_second)
    for second, found in zip(seconds, halves.logits(first, seconds, PLACES), strict=True):
        whole = model.logits(torch.cat([first, second], dim=1))[:, [n_first + place for place in PLACES]]
        assert found.shape == (3, len(PLACES), model.d_vocab)
        torch.testing.assert_close(found.float().log_softmax(-1), whole.float().log_softmax(-1), atol=1e-4, rtol=0)
    return halves


@pytest.mark.parametrize(("name", "is_shared"), [("gpt2", True), ("gpt_neox", True), ("llama", True), ("mamba", False)])
def test_tiny_models(checkpoints, name, is_shared):
    halves = assert_equal_to_whole_passes(load(checkpoints[name]), 11)
    assert halves.is_shared is is_shared
    assert halves.n_positions(3, 2) == (3 * 31 if is_shared else 3 * 42)


# Windows of 8: a first half is kept whole, however long, and read through the window.
@pytest.mark.parametrize(
    ("name", "n_first", "is_shared"),
    [
        ("cohere", 11, True), ("bloom", 11, True), ("falcon-alibi", 11, True), ("granite", 11, True), ("mpt", 11, True),
        ("gemma2", 7, True), ("gemma2", 11, True), ("mistral", 7, True), ("mistral", 11, True),
        ("gemma3_text", 11, True), ("jamba", 11, False), ("recurrent_gemma", 11, False),
    ],
)  # fmt: skip
def test_other_architectures(name, n_first, is_shared, tmp_path):
    row = next(row for row in ROWS if row.name == name)
    assert assert_equal_to_whole_passes(load(save_model(row, tmp_path)), n_first).is_shared is is_shared


def test_logits_are_capped_as_the_model_caps_them(tmp_path):
    row = next(row for row in ROWS if row.name == "gemma2")
    model = load(save_model(row, tmp_path))
    first, second, _ = drawn(model, 7, 10)
    (found,) = SecondHalves(model, 7, 10).logits(first, [second], PLACES)
    # final_logit_softcapping of the row.
    assert float(found.abs().max()) <= 5.0


def test_keys_that_were_read_wrong_are_not_used(checkpoints, monkeypatch):
    model = load(checkpoints["llama"])
    read = ReuseTrials.keys_and_values

    def shifted(self, rows):
        return [(keys.roll(1, dims=2), values) for keys, values in read(self, rows)]

    monkeypatch.setattr(ReuseTrials, "keys_and_values", shifted)
    assert assert_equal_to_whole_passes(model, 11).is_shared is False


def test_a_model_that_gives_all_logits_is_read_as_well(checkpoints, monkeypatch):
    model = load(checkpoints["gpt2"])
    backend = model.backend
    forward = backend.forward

    def without_choice(input_ids, past_key_values=None, use_cache=None):
        return forward(input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache)

    monkeypatch.setattr(backend, "forward", without_choice)
    assert assert_equal_to_whole_passes(CausalModel(backend, model.n_ctx), 11).is_shared is True


def test_what_does_not_fit_is_refused(checkpoints):
    with pytest.raises(RunFailed, match="sequences of 33 tokens do not fit the model's window of 32"):
        SecondHalves(load(checkpoints["gpt2"]), 17, 16)


def test_more_memory_takes_more_rows(checkpoints, monkeypatch):
    halves = SecondHalves(load(checkpoints["gpt2"]), 11, 10)
    found = []
    for budget in (1, 10**6, 10**12):
        monkeypatch.setattr("harness.models.answers.second_halves.memory_budget", lambda _, budget=budget: budget)
        found.append(halves.rows_per_pass(4, 80))
    assert found[0] == 1 < found[1] < found[2] == 80
