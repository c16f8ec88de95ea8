"""Fixtures that several folders of tests share: the shared data, and tiny models with random weights."""

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

# Before anything imports a Hugging Face library: they read it once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Several workers share few cores; the models under test are tiny.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# While jaxtyping's import hook loads one of our modules, all that this imports is looked for under another bytecode
# name and compiled anew in every worker. So the large libraries come first.
for _library in ("matplotlib.pyplot", "pandas", "scipy.stats", "sklearn.linear_model", "transformer_lens"):
    importlib.import_module(_library)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without pictures and report, most of what a small run takes, for tests that look at numbers alone."""

    # Not at the top: what is imported before jaxtyping's hook is not checked by it.
    from harness.runs.results.headline import to_plain

    def headline_only(run: Any, folder: Any, display: Any) -> None:
        folder.write_json("headline.json", to_plain(display.headline(run)))

    monkeypatch.setattr("harness.pipeline.draw", headline_only)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The data shared by several projects, at $HARNESS_SHARED or ../shared; skips where it is absent."""
    folder = Path(os.environ.get("HARNESS_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (set HARNESS_SHARED)")
    return folder


@pytest.fixture(scope="session")
def smollm2_file() -> Path:
    """SmolLM2-135M-Instruct's GGUF file, at $HARNESS_SMOLLM2 or where `make smollm2` puts it; skips where it is not."""
    named = os.environ.get("HARNESS_SMOLLM2")
    found = [Path(named)] if named else sorted((REPOSITORY / "models" / "smollm2").glob("*.gguf"))
    if not found or not found[0].is_file():
        pytest.skip("SmolLM2's GGUF file is not here (`make smollm2` fetches it, or set HARNESS_SMOLLM2)")
    return found[0]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Folders of two-layer models with random weights and 64 ids, no tokenizer: gpt2, gpt_neox, llama, mamba."""
    import torch
    import transformers as tf

    makers: dict[str, Callable[[], Any]] = {
        "gpt2": lambda: tf.GPT2LMHeadModel(
            tf.GPT2Config(
                vocab_size=64, n_positions=32, n_embd=16, n_layer=2, n_head=4, bos_token_id=63, eos_token_id=63
            )
        ),
        "gpt_neox": lambda: tf.GPTNeoXForCausalLM(
            tf.GPTNeoXConfig(
                vocab_size=64,
                max_position_embeddings=32,
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=32,
            )
        ),
        "llama": lambda: tf.LlamaForCausalLM(
            tf.LlamaConfig(
                vocab_size=64,
                max_position_embeddings=32,
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                intermediate_size=32,
            )
        ),
        "mamba": lambda: tf.MambaForCausalLM(
            tf.MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, state_size=4, time_step_rank=2)
        ),
    }
    root = tmp_path_factory.mktemp("checkpoints")
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)
    tf.utils.logging.disable_progress_bar()
    for name, make in makers.items():
        model = make()
        # Initial weights are so small that every prediction is nearly uniform; tests need something to tell apart.
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 2:
                    parameter.mul_(8)
        model.save_pretrained(root / name)
    torch.set_rng_state(generator_state)
    return {name: root / name for name in makers}
