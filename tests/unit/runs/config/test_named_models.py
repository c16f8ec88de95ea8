"""Every model that has a name of its own."""

from types import SimpleNamespace

import pytest
import yaml
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError

from harness.errors import Rejected
from harness.models import _hub as hub
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.runs.config.compose import CONF, compose_run

pytestmark = pytest.mark.unit

FILES = sorted((CONF / "model").glob("*.yaml"))
NAMES = [path.stem for path in FILES]
GATED = ("gemma-3-1b", "llama-3.2-1b")
HUB_NAMES = {
    "smollm2-135m": "HuggingFaceTB/SmolLM2-135M",
    "smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "smollm2-360m": "HuggingFaceTB/SmolLM2-360M",
    "gemma-3-1b": "google/gemma-3-1b-pt",
    "qwen2.5-0.5b": "Qwen/Qwen2.5-0.5B",
    "qwen3-0.6b": "Qwen/Qwen3-0.6B",
    "llama-3.2-1b": "meta-llama/Llama-3.2-1B",
    "olmo-2-1b": "allenai/OLMo-2-0425-1B",
    "tinystories-33m": "roneneldan/TinyStories-33M",
}


def settings(name: str) -> dict[str, str]:
    return yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_it_composes_to_the_name_in_its_file(name: str) -> None:
    config = compose_run(["exp=repeat_tokens", f"model={name}"])
    assert config.model.name == settings(name)["name"]
    assert config.model.name == HUB_NAMES.get(name, config.model.name)


def test_no_two_names_mean_one_model() -> None:
    assert set(HUB_NAMES) <= set(NAMES)
    meant = [(settings(name)["name"], settings(name).get("revision")) for name in NAMES]
    assert len(set(meant)) == len(meant)


def test_gated_ones_say_so_in_their_files() -> None:
    assert [path.stem for path in FILES if "GATED" in path.read_text(encoding="utf-8")] == list(GATED)


@pytest.mark.parametrize("name", GATED)
def test_a_gated_one_says_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise GatedRepoError("403", response=SimpleNamespace(headers={}, request=None, status_code=403, text=""))

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: SimpleNamespace(sha="0" * 40))
    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(Rejected, match=rf"got '{HUB_NAMES[name]}': the model is gated: accept .*hf auth login"):
        resolve_identity(ModelConfig(name=compose_run(["exp=repeat_tokens", f"model={name}"]).model.name))
