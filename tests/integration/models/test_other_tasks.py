"""Models that predict no next token are refused by whoever would run them, and nothing is ever installed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import transformers as tf

from harness.errors import Rejected
from harness.models._no_installs import is_installer, no_installs
from harness.models.answers.causal_model import CausalModel
from harness.models.bridge import boot
from harness.models.config import ModelConfig
from harness.models.embedding_rows import load_embedding_rows
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity

pytestmark = pytest.mark.integration

SIZES = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (tf.BertConfig(**SIZES), tf.BertForMaskedLM),
        (tf.RobertaConfig(**SIZES, max_position_embeddings=34), tf.RobertaForMaskedLM),
        (
            tf.GPT2Config(vocab_size=64, n_embd=16, n_layer=1, n_head=2, n_positions=32),
            tf.GPT2ForSequenceClassification,
        ),
        (
            tf.T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2),
            tf.T5ForConditionalGeneration,
        ),
        (
            tf.BartConfig(
                vocab_size=64,
                d_model=16,
                encoder_layers=1,
                decoder_layers=1,
                encoder_ffn_dim=16,
                decoder_ffn_dim=16,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
            ),
            tf.BartForConditionalGeneration,
        ),
    ],
)
def test_another_task_is_refused_before_its_weights_are_loaded(tmp_path: Path, config, kind) -> None:
    torch.manual_seed(0)
    kind(config).save_pretrained(tmp_path / "model")
    request = ModelConfig(name=str(tmp_path / "model"), device="cpu")
    identity = resolve_identity(request)
    # Pools ask for the rows before any model is loaded.
    for load in (load_embedding_rows, boot, CausalModel.load):
        with pytest.raises(Rejected, match=rf"{kind.__name__} does not predict the next token, allowed: a causal"):
            load(identity, request)
    # Its vocabulary can still be audited.
    assert load_facts(identity, request).d_vocab == 64


VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION |= {"image_size": 8, "patch_size": 4}
TEXT = {**SIZES, "head_dim": 8, "num_key_value_heads": 1}


def _save_gemma3(folder: Path) -> None:
    text = tf.Gemma3TextConfig(**TEXT)
    config = tf.Gemma3Config(text_config=text.to_dict(), vision_config=VISION, mm_tokens_per_image=4)
    tf.Gemma3ForConditionalGeneration(config).save_pretrained(folder)


def _save_llava(folder: Path) -> None:
    vision = tf.CLIPVisionConfig(**VISION, projection_dim=16)
    config = tf.LlavaConfig(text_config=tf.LlamaConfig(**SIZES), vision_config=vision, image_token_index=63)
    tf.LlavaForConditionalGeneration(config).save_pretrained(folder)


@pytest.mark.parametrize("save", [_save_gemma3, _save_llava])
def test_a_model_that_reads_images_is_refused_before_its_weights_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save
) -> None:
    torch.manual_seed(0)
    save(tmp_path / "model")
    request = ModelConfig(name=str(tmp_path / "model"), device="cpu")
    identity = resolve_identity(request)

    def no_child(*_: object, **__: object) -> None:
        raise AssertionError("a child process was started")

    monkeypatch.setattr(subprocess, "Popen", no_child)
    monkeypatch.setattr(tf.PreTrainedModel, "from_pretrained", no_child)
    for load in (boot, CausalModel.load):
        with pytest.raises(
            Rejected, match=r"ForConditionalGeneration reads images or sound beside text, allowed: .*text"
        ):
            load(identity, request)
    # Its vocabulary can still be audited.
    assert load_facts(identity, request).d_vocab == 64


def test_the_text_part_of_such_a_family_runs(tmp_path: Path) -> None:
    tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(**TEXT)).save_pretrained(tmp_path / "model")
    request = ModelConfig(name=str(tmp_path / "model"), device="cpu")
    boot(resolve_identity(request), request).close()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["uv", "pip", "install", "torchvision"], True),
        ([sys.executable, "-m", "pip", "install", "torchvision", "-q"], True),
        (["/usr/bin/pip3", "install", "x"], True),
        ([sys.executable, "-c", "print('pip install')"], False),
        (["git", "-m", "message"], False),
        ([sys.executable, "-m"], False),
        ([], False),
    ],
)
def test_what_an_installer_looks_like(words: list[str], expected: bool) -> None:
    assert is_installer(words) is expected


def test_transformer_lens_cannot_install_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformer_lens.model_bridge.sources.transformers import helpers

    # Without torchvision it runs pip, and uv where there is one.
    monkeypatch.setitem(sys.modules, "torchvision", None)
    for path in ("/usr/bin/uv", None):
        monkeypatch.setattr("shutil.which", lambda _, path=path: path)
        with no_installs():
            assert helpers._ensure_torchvision() is False


def test_other_children_start_and_installers_are_let_be_outside() -> None:
    harmless = [sys.executable, "-c", "print('hello')"]
    with no_installs():
        assert subprocess.run(harmless, capture_output=True, text=True, check=True).stdout == "hello\n"
        with pytest.raises(PermissionError, match="loading a model installs nothing"):
            subprocess.run([sys.executable, "-m", "pip", "--version"], check=False)
        with pytest.raises(PermissionError):
            subprocess.run("pip --version", shell=True, check=False)
        # Weights are read in threads of the library's own.
        with ThreadPoolExecutor() as pool, pytest.raises(PermissionError):
            pool.submit(subprocess.run, ["uv", "pip", "install", "x"]).result()
    done = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "No module named pip" in done.stderr
