"""Ids that a model has no embedding for are refused by name, however they get to the model."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from harness.errors import Rejected
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.decoding import decode
from harness.models.bridge import boot
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity

pytestmark = pytest.mark.integration
REFUSAL = r"no embedding for \(64, 90\), allowed: ids from 0 to 63 \(is the tokenizer, or its chat template, another"


@pytest.fixture(scope="module")
def request_of(checkpoints: Mapping[str, Path]) -> ModelConfig:
    return ModelConfig(name=str(checkpoints["gpt2"]), device="cpu")


def test_by_whoever_answers(request_of: ModelConfig) -> None:
    model = CausalModel.load(resolve_identity(request_of), request_of)
    rows = torch.tensor([[90, 1, 64, 90]])
    for ask in (model.logits, model.last_logits, model.embed):
        with pytest.raises(Rejected, match=REFUSAL):
            ask(rows)
    # In the common beginning (a chat template), and in what differs between prompts.
    for prompts in ([[64, 90, 1], [64, 90, 2]], [[1, 64], [1, 90]]):
        with pytest.raises(Rejected, match=REFUSAL):
            decode(model, prompts, max_new_tokens=1)
    with pytest.raises(Rejected, match=r"no embedding for \(-1\)"):
        model.logits(torch.tensor([[-1, 3]]))
    assert decode(model, [[63, 0]], max_new_tokens=1).n_positions > 0
    model.close()


def test_by_the_bridge(request_of: ModelConfig) -> None:
    model = boot(resolve_identity(request_of), request_of)
    with pytest.raises(Rejected, match=REFUSAL):
        model.forward(torch.tensor([[90, 64]]))
    with pytest.raises(Rejected, match=r"\(64, 65, 66, 67, 68, \.\.\.\)"):
        model.forward(torch.arange(60, 80)[None])
    model.close()
