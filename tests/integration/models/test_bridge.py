"""Models through the bridge compute what plain transformers computes, and leave nothing behind."""

import gc
import json
import shutil
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from harness.errors import Rejected, RunFailed
from harness.models._in_memory import fingerprint
from harness.models.activations.ablation import MeanOutput, without_head
from harness.models.activations.patterns import head_output_hooks
from harness.models.bridge import BridgedModel, boot
from harness.models.config import DType, ModelConfig
from harness.models.identity import resolve_identity

FAMILIES = ("gpt2", "gpt_neox", "llama", "mamba")
WITH_ATTENTION = ("gpt2", "gpt_neox", "llama")
OUTPUT = {"gpt2": "attn.c_proj", "gpt_neox": "attention.dense", "llama": "self_attn.o_proj"}


def boot_folder(folder: Path, **options: object) -> BridgedModel:
    config = ModelConfig(name=str(folder), device="cpu", **options)
    return boot(resolve_identity(config), config)


def plain(folder: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def models(checkpoints: Mapping[str, Path]) -> Iterator[dict[str, BridgedModel]]:
    booted = {name: boot_folder(checkpoints[name]) for name in FAMILIES}
    yield booted
    for model in booted.values():
        model.close()


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 64, (3, 12), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_plain_transformers(
    models: dict[str, BridgedModel], checkpoints: Mapping[str, Path], tokens: Tensor, family: str
) -> None:
    with torch.no_grad():
        expected = plain(checkpoints[family])(tokens).logits
    assert expected.std() > 0.1  # else anything would pass
    torch.testing.assert_close(models[family].forward(tokens), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_do_not_depend_on_the_batch(models: dict[str, BridgedModel], tokens: Tensor, family: str) -> None:
    together = models[family].forward(tokens)
    alone = torch.cat([models[family].forward(row[None]) for row in tokens])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", WITH_ATTENTION)
def test_patterns_are_those_of_plain_transformers(
    models: dict[str, BridgedModel], checkpoints: Mapping[str, Path], tokens: Tensor, family: str
) -> None:
    seen: dict[str, Tensor] = {}
    reducers = {f"blocks.{i}.attn.hook_pattern": lambda x, i=i: seen.update({str(i): x.clone()}) for i in range(2)}
    models[family].forward(tokens, reducers)
    with torch.no_grad():
        expected = plain(checkpoints[family])(tokens, output_attentions=True).attentions
    for layer in range(2):
        torch.testing.assert_close(seen[str(layer)], expected[layer], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", WITH_ATTENTION)
def test_an_edit_takes_the_activation_s_place(models: dict[str, BridgedModel], tokens: Tensor, family: str) -> None:
    model, name = models[family], "blocks.1.attn.hook_z"
    before = model.forward(tokens)
    seen: list[Tensor] = []
    edited = model.forward(tokens, {name: lambda x: seen.append(x.clone())}, {name: torch.zeros_like})
    # Readers see what the model made; the model goes on with what the edit made of it.
    assert seen[0].abs().max() > 0
    assert not torch.allclose(edited, before, atol=1e-4)
    # An attention whose heads say nothing adds its output's bias alone, whatever came before it.
    module = model._opened().original_model
    for parameter in [p for n, p in module.named_parameters() if f".1.{OUTPUT[family]}.weight" in n]:
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.zero_()
        torch.testing.assert_close(model.forward(tokens), edited, rtol=0, atol=1e-5)
        with torch.no_grad():
            parameter.copy_(kept)
    torch.testing.assert_close(model.forward(tokens), before, rtol=0, atol=0)


def test_an_edit_of_an_unknown_hook_is_refused(models: dict[str, BridgedModel], tokens: Tensor) -> None:
    with pytest.raises(Rejected, match="hook_zz"):
        models["gpt2"].forward(tokens, edits={"blocks.1.attn.hook_zz": torch.zeros_like})


def test_taking_a_head_out_leaves_its_mean(models: dict[str, BridgedModel], tokens: Tensor) -> None:
    model = models["gpt2"]
    name = head_output_hooks(model)[1]
    total = MeanOutput()
    model.forward(tokens[:2], {name: total.add})
    model.forward(tokens[2:], {name: total.add})
    seen: list[Tensor] = []
    model.forward(tokens, {name: lambda x: seen.append(x.clone())})
    torch.testing.assert_close(total.mean(), seen[0].double().mean(dim=0), rtol=0, atol=1e-6)
    edited = without_head(1, total.mean())(seen[0])
    torch.testing.assert_close(edited[:, :, 1], total.mean()[:, 1].to(edited).expand_as(edited[:, :, 1]))
    others = [head for head in range(edited.shape[2]) if head != 1]
    assert torch.equal(edited[:, :, others], seen[0][:, :, others])
    with pytest.raises(ValueError, match="no rows"):
        MeanOutput().mean()
    assert list(head_output_hooks(models["mamba"])) == []


def test_structure(models: dict[str, BridgedModel]) -> None:
    for family in FAMILIES:
        model = models[family]
        assert (model.n_layers, model.d_vocab, model.structure.d_model) == (2, 64, 16)
        assert model.has_attention_patterns == (family != "mamba")
        assert model.n_ctx == (None if family == "mamba" else 32)
        assert (model.device, model.dtype) == ("cpu", torch.float32)
    assert models["gpt2"].n_heads == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_are_the_stored_rows(
    models: dict[str, BridgedModel], checkpoints: Mapping[str, Path], family: str
) -> None:
    model, expected = models[family], plain(checkpoints[family])
    torch.testing.assert_close(model.embedding(), expected.get_input_embeddings().weight.detach(), rtol=0, atol=0)
    torch.testing.assert_close(model.unembedding(), expected.get_output_embeddings().weight.detach(), rtol=0, atol=0)
    assert model.is_tied == (family in ("gpt2", "mamba"))


def test_reducers_are_taken_off_again_also_after_an_error(models: dict[str, BridgedModel], tokens: Tensor) -> None:
    model, calls = models["gpt2"], []

    def fail(activation: Tensor) -> None:
        calls.append(activation.shape)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        model.forward(tokens, {"blocks.0.hook_resid_post": calls.append, "blocks.1.attn.hook_pattern": fail})
    assert len(calls) == 2
    model.forward(tokens)
    assert len(calls) == 2
    assert not any(point.fwd_hooks or point._forward_hooks for point in model._bridge.hook_points())


@pytest.mark.parametrize("family", WITH_ATTENTION)
def test_a_pass_leaves_no_pattern_behind(models: dict[str, BridgedModel], tokens: Tensor, family: str) -> None:
    patterns: list[StorageWeakRef] = []
    alive: list[int] = []

    def watch(pattern: Tensor) -> None:
        alive.append(sum(not memory.expired() for memory in patterns))
        patterns.append(StorageWeakRef(pattern.untyped_storage()))

    models[family].forward(tokens, {f"blocks.{i}.attn.hook_pattern": watch for i in range(2)})
    assert alive == [0, 0]  # one layer's pattern at a time
    assert all(memory.expired() for memory in patterns)


def test_two_names_of_one_hook_point_are_both_called(models: dict[str, BridgedModel], tokens: Tensor) -> None:
    calls: list[str] = []
    names = ("blocks.0.hook_resid_post", "blocks.0.hook_out")
    models["gpt2"].forward(tokens, {name: lambda _, name=name: calls.append(name) for name in names})
    assert sorted(calls) == sorted(names)


def test_an_unknown_hook_is_rejected_before_the_pass(models: dict[str, BridgedModel], tokens: Tensor) -> None:
    with pytest.raises(Rejected, match=r"hook: got 'blocks\.0\.attn\.hook_patern'.*'blocks\.0\.attn\.hook_pattern'"):
        models["gpt2"].forward(tokens, {"blocks.0.attn.hook_patern": print})


def test_hooks_behind_a_switch_that_is_off_are_not_offered(models: dict[str, BridgedModel]) -> None:
    assert not any(name.endswith(("hook_result", "hook_q_input", "hook_mlp_in")) for name in models["gpt2"].hook_names)


def test_too_long_a_sequence(models: dict[str, BridgedModel]) -> None:
    with pytest.raises(RunFailed, match="sequences of 33 tokens do not fit the model's window of 32"):
        models["gpt2"].forward(torch.zeros(1, 33, dtype=torch.long))


def test_loading_is_quiet(checkpoints: Mapping[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    boot_folder(checkpoints["llama"]).close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("family", FAMILIES)
def test_compatibility_mode_predicts_the_same_and_calls_reducers_once(
    models: dict[str, BridgedModel], checkpoints: Mapping[str, Path], tokens: Tensor, family: str
) -> None:
    folded = boot_folder(checkpoints[family], compatibility_mode=True)
    raw = models[family]
    torch.testing.assert_close(
        folded.forward(tokens).log_softmax(-1), raw.forward(tokens).log_softmax(-1), rtol=0, atol=1e-4
    )
    # The unembedding is centred: other numbers, the same predictions.
    assert not torch.allclose(folded.unembedding(), raw.unembedding())
    assert folded.fingerprint != raw.fingerprint
    calls: list[object] = []
    folded.forward(tokens, {"blocks.0.hook_resid_post": calls.append, "blocks.1.hook_out": calls.append})
    assert len(calls) == 2
    folded.close()


def test_compatibility_mode_where_transformerlens_refuses_it(
    checkpoints: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformer_lens.model_bridge.supported_architectures.gpt2 import GPT2ArchitectureAdapter

    monkeypatch.setattr(GPT2ArchitectureAdapter, "supports_compatibility_mode", False, raising=False)
    with pytest.raises(Rejected, match=r"model\.compatibility_mode: got true, allowed: false for .*does not support"):
        boot_folder(checkpoints["gpt2"], compatibility_mode=True)


@pytest.mark.parametrize("dtype", [DType.BFLOAT16, DType.FLOAT16])
def test_narrow_dtypes(checkpoints: Mapping[str, Path], tokens: Tensor, dtype: DType) -> None:
    model = boot_folder(checkpoints["llama"], dtype=dtype)
    logits = model.forward(tokens)
    assert model.dtype == logits.dtype == model.embedding().dtype == getattr(torch, dtype.value)
    assert torch.isfinite(logits).all()
    model.close()


def test_device_map(checkpoints: Mapping[str, Path], models: dict[str, BridgedModel], tokens: Tensor) -> None:
    config = ModelConfig(name=str(checkpoints["llama"]), device_map="auto")
    model = boot(resolve_identity(config), config)
    torch.testing.assert_close(model.forward(tokens).cpu(), models["llama"].forward(tokens), rtol=0, atol=1e-4)
    model.close()


class TestClosing:
    @pytest.mark.parametrize("compatibility", [False, True])
    @pytest.mark.parametrize("family", FAMILIES)
    def test_weights_are_freed(
        self, checkpoints: Mapping[str, Path], tokens: Tensor, family: str, compatibility: bool
    ) -> None:
        for _ in range(2):
            model = boot_folder(checkpoints[family], compatibility_mode=compatibility)
            model.forward(tokens, {"blocks.0.hook_resid_post": lambda _: None})
            parameters = [weakref.ref(p) for p in model._bridge.original_model.parameters()]
            assert len(parameters) > 10
            model.close()
            assert [p for p in parameters if p() is not None] == []

    def test_tensors_do_not_pile_up(self, checkpoints: Mapping[str, Path], tokens: Tensor) -> None:
        counts = []
        for _ in range(4):
            model = boot_folder(checkpoints["gpt2"])
            model.forward(tokens)
            model.close()
            counts.append(sum(issubclass(type(thing), torch.nn.Module | Tensor) for thing in gc.get_objects()))
        # The first round fills the libraries' own caches.
        assert counts[1] == counts[2] == counts[3]

    def test_twice_is_fine_and_running_afterwards_is_not(self, checkpoints: Mapping[str, Path], tokens: Tensor) -> None:
        model = boot_folder(checkpoints["gpt2"])
        model.close()
        model.close()
        for use in (lambda: model.forward(tokens), model.embedding, model.unembedding):
            with pytest.raises(RunFailed, match="the model was closed"):
                use()


class TestBadCheckpoints:
    @pytest.fixture
    def copy(self, checkpoints: Mapping[str, Path], tmp_path: Path) -> Path:
        return shutil.copytree(checkpoints["llama"], tmp_path / "copy")

    def test_a_missing_tensor_is_not_made_up(self, copy: Path) -> None:
        weights = load_file(copy / "model.safetensors")
        del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(Rejected, match=r"its weights lack 1 tensors \(model\.layers\.1\.mlp\.up_proj\.weight\)"):
            boot_folder(copy)

    def test_weights_of_another_shape(self, copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
        with pytest.raises(Rejected, match=r"have another shape than config\.json says"):
            boot_folder(copy)

    def test_an_architecture_that_nobody_knows(self, copy: Path) -> None:
        (copy / "config.json").write_text('{"model_type": "warp", "vocab_size": 64, "n_positions": 8}')
        with pytest.raises(Rejected, match=r"model\.name: got .*copy"):
            boot_folder(copy)

    def test_an_architecture_that_transformerlens_cannot_boot(self, tmp_path: Path) -> None:
        import transformers as tf

        shape = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        tf.BioGptForCausalLM(tf.BioGptConfig(**shape, intermediate_size=16)).save_pretrained(tmp_path / "biogpt")
        with pytest.raises(Rejected, match=r"architecture is not one that TransformerLens .* can boot"):
            boot_folder(tmp_path / "biogpt")

    def test_an_encoder_decoder(self, tmp_path: Path) -> None:
        import transformers as tf

        config = tf.T5Config(vocab_size=64, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=4)
        config.decoder_start_token_id = 0
        tf.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
        with pytest.raises(Rejected, match="does not predict the next token, allowed: a causal language model"):
            boot_folder(tmp_path / "t5")

    def test_remote_code_is_not_run_unasked(self, copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        config |= {"model_type": "own", "architectures": ["Own"], "auto_map": {"AutoConfig": "own.OwnConfig"}}
        (copy / "config.json").write_text(json.dumps(config))
        (copy / "own.py").write_text("raise SystemExit('this code ran')")
        with pytest.raises(Rejected, match=r"model\.trust_remote_code: got false, allowed: true"):
            boot_folder(copy)


def test_fingerprint_tells_apart_what_computes_differently(checkpoints: Mapping[str, Path]) -> None:
    config = ModelConfig(name=str(checkpoints["gpt2"]), device="cpu")
    identity = resolve_identity(config)
    prints = [
        fingerprint(identity, config),
        fingerprint(identity, replace(config, dtype=DType.BFLOAT16)),
        fingerprint(identity, replace(config, compatibility_mode=True)),
        fingerprint(replace(identity, weights_sha256="other"), config),
    ]
    assert len(set(prints)) == 4
    assert fingerprint(identity, replace(config, n_ctx=8)) == prints[0]


def test_shared_model_tells_its_story(shared_dir: Path) -> None:
    from harness.models.tokenizer_loading import load_tokenizer

    config = ModelConfig(name=str(shared_dir / "models" / "stories260k"), device="cpu")
    identity = resolve_identity(config)
    model, tokenizer = boot(identity, config), load_tokenizer(identity, config)
    assert tokenizer is not None
    ids = [1]
    for _ in range(30):
        ids.append(int(model.forward(torch.tensor([ids]))[0, -1].argmax()))
    assert tokenizer.decode(ids[1:]).startswith("Once upon a time, there was a little girl named Lily.")
    model.close()
