"""Capture on a model made up for the purpose: odd layouts, aliases that share memory, hooks that fire twice."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from harness.errors import RunFailed
from harness.models.activations.capture import capture
from harness.models.activations.request import ActivationRequest
from harness.models.activations.store import ActivationStore
from harness.models.loaded import NO_EDITS, NO_REDUCERS, LoadedModel, ModelStructure

TOKENS = torch.tensor([[3, 1, 2], [0, 2, 1]])
CALLS = ("wide", "alias", "turned", "twice", "twice")


class Odd(LoadedModel):
    """Activations made from the tokens; `alias` is the memory of `wide`, `turned` a transposed view of it."""

    passes = 0

    @property
    def structure(self) -> ModelStructure:
        return ModelStructure(tuple(sorted(set(CALLS))), n_layers=1, n_heads=1, d_model=4, d_vocab=5, n_ctx=None)

    @property
    def fingerprint(self) -> str:
        return "odd"

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def forward(
        self,
        tokens: Tensor,
        reducers: Mapping[str, Callable[[Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[Tensor], Tensor]] = NO_EDITS,
    ) -> Tensor:
        self.passes += 1
        wide = tokens[..., None] * torch.arange(1.0, 5.0)
        for name in CALLS:
            if name in reducers:
                reducers[name](wide.transpose(1, 2) if name == "turned" else wide)
        return tokens[..., None] * torch.ones(5)

    def embedding(self) -> Tensor:
        raise NotImplementedError

    def unembedding(self) -> Tensor:
        raise NotImplementedError

    def close(self) -> None:
        pass


def test_a_view_reaches_the_reducer_contiguous_and_by_hand_correct() -> None:
    laid_out: list[bool] = []

    def first_row(activation: Tensor, _: str) -> Tensor:
        laid_out.append(activation.is_contiguous())
        return activation[0, :, 0]

    found = capture(Odd(), TOKENS, [ActivationRequest("turned", first_row)])
    assert laid_out == [True]
    assert found.reduced["turned"].tolist() == [3, 6, 9, 12]


def test_aliases_and_views_are_stored_and_come_back(tmp_path: Path) -> None:
    store, model = ActivationStore(tmp_path, max_gb=1.0), Odd()
    requests = [ActivationRequest(name, lambda x, _: x) for name in ("wide", "alias", "turned")]
    first = capture(model, TOKENS, requests, None, store)
    second = capture(model, TOKENS, requests, None, store)
    assert model.passes == 1
    assert second.from_store
    assert second.reduced["turned"].shape == (2, 4, 3)
    for name in ("wide", "alias", "turned"):
        assert torch.equal(first.reduced[name], second.reduced[name])


def test_a_hook_that_fires_twice_is_ambiguous() -> None:
    with pytest.raises(RunFailed, match="'twice' fires 2 times in one pass"):
        capture(Odd(), TOKENS, [ActivationRequest("twice", lambda x, _: x)])


def test_nothing_asked_for_still_runs_the_model() -> None:
    model = Odd()
    assert capture(model, TOKENS).reduced == {}
    assert model.passes == 1
