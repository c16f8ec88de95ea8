"""Rows put into a real model for a while, rows trained, and activations changed while it runs."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from harness.models.answers.causal_model import CausalModel
from harness.models.answers.decoding import decode
from harness.models.answers.replaced_rows import NewRows, rows_replaced
from harness.models.answers.steered import Scope, steered
from harness.models.answers.trained_rows import TrainedRows
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity

pytestmark = pytest.mark.integration

IDS = (5, 9)
TOKENS = torch.tensor([[1, 5, 2, 9, 3]])


@pytest.fixture(params=["gpt2", "llama"])
def model(request, checkpoints: Mapping[str, Path]) -> CausalModel:
    """GPT-2 is tied here, Llama is not."""
    config = ModelConfig(name=str(checkpoints[request.param]))
    return CausalModel.load(resolve_identity(config), config)


def rows_of(model: CausalModel, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(IDS), model.embedding().shape[1], generator=generator)


def test_the_model_is_as_before_even_after_an_error(model) -> None:
    before, tied, both = model.logits(TOKENS), model.is_tied, rows_of(model)
    with pytest.raises(ZeroDivisionError), rows_replaced(model, NewRows(IDS, both, both)):
        assert not torch.equal(model.logits(TOKENS), before)
        raise ZeroDivisionError
    assert torch.equal(model.logits(TOKENS), before)
    assert model.is_tied is tied


def test_an_output_row_changes_its_own_logits_alone(model) -> None:
    before, row = model.logits(TOKENS), rows_of(model)
    with rows_replaced(model, NewRows(IDS, None, row)):
        after = model.logits(TOKENS)
        assert not model.is_tied
    others = [token for token in range(64) if token not in IDS]
    torch.testing.assert_close(after[..., others], before[..., others])
    assert not torch.allclose(after[..., list(IDS)], before[..., list(IDS)])


def test_an_input_row_changes_nothing_before_its_token(model) -> None:
    before = model.logits(TOKENS)
    with rows_replaced(model, NewRows(IDS, rows_of(model), None)):
        after = model.logits(TOKENS)
    torch.testing.assert_close(after[:, :1], before[:, :1])
    assert not torch.allclose(after[:, 1:], before[:, 1:])


def test_own_rows_put_in_change_nothing(model) -> None:
    own = (model.embedding()[list(IDS)].clone(), model.unembedding()[list(IDS)].clone())
    before = model.logits(TOKENS)
    with rows_replaced(model, NewRows(IDS, *own)):
        torch.testing.assert_close(model.logits(TOKENS), before)


def test_only_a_tied_model_with_different_rows_is_untied(model) -> None:
    one, other = rows_of(model), rows_of(model, 1)
    assert NewRows(IDS, one, other).unties(model) is model.is_tied
    assert not NewRows(IDS, one, one).unties(model)
    assert not NewRows((), None, None).unties(model)


def test_trained_rows_begin_as_the_model_and_learn(model) -> None:
    before, frozen = model.logits(TOKENS), {name: p.clone() for name, p in model.backend.named_parameters()}
    trained = TrainedRows(model, NewRows(IDS, None, None))
    torch.testing.assert_close(trained.logits(TOKENS).detach(), before)
    assert len(trained.parameters) == (1 if model.is_tied else 2)
    optimizer = torch.optim.Adam(trained.parameters, lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(trained.logits(TOKENS)[0, :-1], TOKENS[0, 1:])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for name, parameter in model.backend.named_parameters():
        assert torch.equal(parameter, frozen[name])
    with rows_replaced(model, trained.new_rows()):
        torch.testing.assert_close(model.logits(TOKENS), trained.logits(TOKENS).detach(), atol=1e-4, rtol=1e-4)


def mlp_in(model: CausalModel) -> torch.nn.Module:
    names = ("c_fc", "up_proj")
    return next(one for name, one in model.backend.named_modules() if name.rsplit(".", 1)[-1] in names)


def test_an_edit_that_gives_back_what_it_got_changes_nothing(model) -> None:
    before = model.logits(TOKENS)
    with steered(model, {mlp_in(model): lambda values: values}, Scope.TEXT) as changed:
        torch.testing.assert_close(changed.logits(TOKENS), before)


def test_answers_are_changed_from_the_last_position_on_and_texts_everywhere(model) -> None:
    before, edits = model.logits(TOKENS), {mlp_in(model): lambda values: values + 3}
    with steered(model, edits, Scope.ANSWERS) as changed:
        after = changed.logits(TOKENS)
    torch.testing.assert_close(after[:, :-1], before[:, :-1])
    assert not torch.allclose(after[:, -1], before[:, -1])
    with steered(model, edits, Scope.TEXT) as changed:
        assert not torch.allclose(changed.logits(TOKENS)[:, 0], before[:, 0])
    torch.testing.assert_close(model.logits(TOKENS), before)


def test_a_beginning_that_is_shared_is_read_as_the_plain_model_reads_it(model) -> None:
    """The first answered token must be that of the whole prompt read at once, its last position alone changed."""
    edits = {mlp_in(model): lambda values: values + 3}
    prompts = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 7, 8]]
    with steered(model, edits, Scope.ANSWERS) as changed:
        answers = decode(changed, prompts, 1)
        whole = [int(changed.logits(torch.tensor([prompt]))[0, -1].argmax()) for prompt in prompts]
    assert [ids[0] for ids in answers.tokens] == whole
