"""Capture keeps what was asked for and nothing else, and does without the model where the store has it all."""

import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from harness.errors import Rejected, RunFailed
from harness.models.activations.capture import Captured, capture, check_logits
from harness.models.activations.request import ActivationRequest
from harness.models.activations.store import ActivationStore
from harness.models.bridge import boot
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.models.lazy import LazyModel, lazy_model
from harness.models.loaded import LoadedModel

PATTERNS = "blocks.*.attn.hook_pattern"
RESIDUALS = "blocks.*.hook_resid_post"


def previous_token_mean(pattern: Tensor, name: str) -> Tensor:
    """[batch head]: mean attention to the token before."""
    assert name.endswith("hook_pattern")
    return pattern.diagonal(-1, dim1=-2, dim2=-1).mean(-1)


def target_logprobs(logits: Tensor) -> dict[str, Tensor]:
    return {"logprob": logits.log_softmax(-1)[..., 0]}


REQUESTS = (ActivationRequest(PATTERNS, previous_token_mean), ActivationRequest(RESIDUALS, lambda x, _: x[:, -1]))


@pytest.fixture(scope="module")
def model(checkpoints: Mapping[str, Path]) -> Iterator[LoadedModel]:
    config = ModelConfig(name=str(checkpoints["gpt2"]), device="cpu")
    booted = boot(resolve_identity(config), config)
    yield booted
    booted.close()


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 64, (3, 12), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def store(tmp_path: Path) -> ActivationStore:
    return ActivationStore(tmp_path / "store", max_gb=1.0)


def lazy(checkpoints: Mapping[str, Path], store: ActivationStore | None) -> LazyModel:
    config = ModelConfig(name=str(checkpoints["gpt2"]), device="cpu")
    return lazy_model(resolve_identity(config), config, store)


def assert_same_bits(first: Captured, second: Captured) -> None:
    for one, other in ((first.reduced, second.reduced), (first.logits, second.logits)):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_reductions_are_those_of_the_full_activations(model: LoadedModel, tokens: Tensor) -> None:
    full: dict[str, Tensor] = {}
    logits = model.forward(tokens, {name: lambda x, n=name: full.update({n: x.clone()}) for name in model.hook_names
                                    if name.endswith(("hook_pattern", "hook_resid_post"))})  # fmt: skip
    found = capture(model, tokens, REQUESTS, target_logprobs)
    assert set(found.reduced) == {
        f"blocks.{i}.{end}" for i in (0, 1) for end in ("attn.hook_pattern", "hook_resid_post")
    }
    pattern = full["blocks.1.attn.hook_pattern"]
    by_hand = torch.stack([pattern[:, :, q, q - 1] for q in range(1, 12)], -1).mean(-1)
    torch.testing.assert_close(found.reduced["blocks.1.attn.hook_pattern"], by_hand)
    assert torch.equal(found.reduced["blocks.0.hook_resid_post"], full["blocks.0.hook_resid_post"][:, -1])
    assert torch.equal(found.logits["logprob"], logits.log_softmax(-1)[..., 0])
    assert not found.from_store


def test_nothing_else_is_kept(model: LoadedModel, tokens: Tensor) -> None:
    alive: list[weakref.ref] = []

    def watch(activation: Tensor, _: str) -> Tensor:
        alive.append(weakref.ref(activation))
        return activation[:, :1]

    def watch_logits(logits: Tensor) -> dict[str, Tensor]:
        alive.append(weakref.ref(logits))
        return {"first": logits[:, 0, :2]}

    found = capture(model, tokens, [ActivationRequest(RESIDUALS, watch)], watch_logits)
    assert len(alive) == 3
    assert [ref for ref in alive if ref() is not None] == []
    # A slice keeps its own bytes only, not those of the activation it was cut from.
    for kept in (*found.reduced.values(), *found.logits.values()):
        assert kept.untyped_storage().nbytes() == kept.numel() * kept.element_size()


def test_a_slice_does_not_keep_its_activation_until_the_end(model: LoadedModel, tokens: Tensor) -> None:
    memories: list[StorageWeakRef] = []
    freed: list[bool] = []

    def last_query(pattern: Tensor, _: str) -> Tensor:
        freed.extend(memory.expired() for memory in memories)
        memories.append(StorageWeakRef(pattern.untyped_storage()))
        return pattern[:, :, -1]

    capture(model, tokens, [ActivationRequest(PATTERNS, last_query)])
    assert freed == [True]


def test_the_whole_activation_may_be_kept(model: LoadedModel, tokens: Tensor) -> None:
    found = capture(model, tokens, [ActivationRequest("blocks.0.hook_resid_post", lambda x, _: x)])
    again = capture(model, tokens, [ActivationRequest("blocks.0.hook_resid_post", lambda x, _: x.clone())])
    assert_same_bits(found, again)


def test_results_are_ordinary_tensors(model: LoadedModel, tokens: Tensor) -> None:
    found = capture(model, tokens, REQUESTS, target_logprobs)
    for kept in (*found.reduced.values(), *found.logits.values()):
        assert not kept.is_inference()
        kept += 1


def test_reducers_run_while_the_model_does(model: LoadedModel, tokens: Tensor) -> None:
    order: list[str] = []
    requests = [ActivationRequest(RESIDUALS, lambda x, name: (order.append(name), x.mean())[1])]
    capture(model, tokens, requests, lambda logits: (order.append("logits"), {"mean": logits.mean()})[1])
    assert order == ["blocks.0.hook_resid_post", "blocks.1.hook_resid_post", "logits"]


def test_reducers_see_contiguous_tensors(model: LoadedModel, tokens: Tensor) -> None:
    ends = ("q", "k", "v", "z", "pattern")
    requests = [
        ActivationRequest(f"blocks.*.attn.hook_{end}", lambda x, _: torch.tensor(x.is_contiguous())) for end in ends
    ]
    found = capture(model, tokens, requests)
    assert len(found.reduced) == 10
    assert all(found.reduced.values())


def test_two_requests_for_one_hook(model: LoadedModel, tokens: Tensor) -> None:
    one = ActivationRequest(PATTERNS, previous_token_mean)
    two = ActivationRequest("blocks.0.attn.hook_pattern", lambda x, _: x.amax(), label="max")
    found = capture(model, tokens, [one, two])
    assert len(found.reduced) == 3
    assert found.reduced["blocks.0.attn.hook_pattern#max"].ndim == 0
    with pytest.raises(ValueError, match="asked for twice"):
        capture(model, tokens, [one, ActivationRequest("blocks.0.attn.hook_pattern", lambda x, _: x)])


def test_a_hook_that_matches_nothing(model: LoadedModel, tokens: Tensor) -> None:
    with pytest.raises(Rejected, match=r"near names: 'blocks\.\*\.attn\.hook_pattern'"):
        capture(model, tokens, [ActivationRequest("blocks.*.attn.hook_paterns", lambda x, _: x)])


def test_a_hook_that_never_fires_is_no_empty_result(model: LoadedModel, tokens: Tensor) -> None:
    with pytest.raises(RunFailed, match=r"'blocks\.0\.attn\.qkv\.hook_out' exists but never fires"):
        capture(model, tokens, [ActivationRequest("blocks.0.attn.qkv.hook_out", lambda x, _: x)])


class TestStore:
    def test_a_second_run_reads_instead_of_running_and_boots_nothing(
        self, checkpoints: Mapping[str, Path], store: ActivationStore, tokens: Tensor
    ) -> None:
        first_model = lazy(checkpoints, store)
        first = capture(first_model, tokens, REQUESTS, target_logprobs, store)
        first_model.close()
        assert store.n_entries == 5
        later = ActivationStore(store.folder, max_gb=1.0)
        second_model = lazy(checkpoints, later)
        second = capture(second_model, tokens, REQUESTS, target_logprobs, later)
        assert second.from_store
        assert not second_model.is_booted
        assert later.hits == 5
        assert_same_bits(first, second)
        # Other reductions of the same activations need no model either.
        third = capture(second_model, tokens, [ActivationRequest(PATTERNS, lambda x, _: x.sum())], None, later)
        assert third.from_store
        assert not second_model.is_booted

    def test_the_store_changes_no_number(self, model: LoadedModel, store: ActivationStore, tokens: Tensor) -> None:
        assert_same_bits(
            capture(model, tokens, REQUESTS, target_logprobs), capture(model, tokens, REQUESTS, target_logprobs, store)
        )

    def test_whatever_is_missing_runs_the_model(
        self, model: LoadedModel, store: ActivationStore, tokens: Tensor
    ) -> None:
        capture(model, tokens, REQUESTS[:1], None, store)
        assert not capture(model, tokens, REQUESTS, None, store).from_store
        assert not capture(model, tokens, REQUESTS, target_logprobs, store).from_store
        assert not capture(model, tokens[:2], REQUESTS, target_logprobs, store).from_store
        assert capture(model, tokens, REQUESTS, target_logprobs, store).from_store

    def test_a_flipped_bit_is_computed_again(self, model: LoadedModel, store: ActivationStore, tokens: Tensor) -> None:
        expected = capture(model, tokens, REQUESTS, target_logprobs, store)
        for path in sorted(store.folder.glob("??/*.safetensors")):
            content = bytearray(path.read_bytes())
            content[len(content) // 2 + 40] ^= 4
            path.write_bytes(content)
            later = ActivationStore(store.folder, max_gb=1.0)
            healed = capture(model, tokens, REQUESTS, target_logprobs, later)
            assert not healed.from_store
            assert_same_bits(expected, healed)
            assert capture(model, tokens, REQUESTS, target_logprobs, later).from_store

    def test_a_truncated_entry_is_computed_again(
        self, model: LoadedModel, store: ActivationStore, tokens: Tensor
    ) -> None:
        expected = capture(model, tokens, REQUESTS, target_logprobs, store)
        path = next(store.folder.glob("??/*.safetensors"))
        path.write_bytes(path.read_bytes()[:-8])
        healed = capture(model, tokens, REQUESTS, target_logprobs, store)
        assert not healed.from_store
        assert_same_bits(expected, healed)

    def test_folded_weights_are_another_model(
        self, checkpoints: Mapping[str, Path], model: LoadedModel, store: ActivationStore, tokens: Tensor
    ) -> None:
        capture(model, tokens, REQUESTS, None, store)
        config = ModelConfig(name=str(checkpoints["gpt2"]), device="cpu", compatibility_mode=True)
        folded = boot(resolve_identity(config), config)
        assert not capture(folded, tokens, REQUESTS, None, store).from_store
        folded.close()

    def test_a_logits_reducer_may_work_in_place(
        self, model: LoadedModel, store: ActivationStore, tokens: Tensor
    ) -> None:
        def in_place(logits: Tensor) -> dict[str, Tensor]:
            return {"logprob": logits.sub_(logits.logsumexp(-1, keepdim=True))[..., 0]}

        first = capture(model, tokens, (), in_place, store)
        second = capture(model, tokens, (), in_place, store)
        assert second.from_store
        assert_same_bits(first, second)


class TestCheckLogits:
    def test_finite_and_masked_logits_pass(self) -> None:
        logits = torch.randn(2, 3, 5)
        logits[..., 4] = float("-inf")
        check_logits(logits)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_the_first_bad_place_is_named(self, value: float) -> None:
        logits = torch.randn(2, 3, 5)
        logits[1, 2, 0] = value
        with pytest.raises(RunFailed, match=r"1 of 6 positions, the first at sequence 1, position 2"):
            check_logits(logits)

    def test_all_masked(self) -> None:
        with pytest.raises(RunFailed, match="not finite"):
            check_logits(torch.full((1, 1, 4), float("-inf")))
