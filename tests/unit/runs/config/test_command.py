"""The command of a stored run requests the same run."""

import shlex

import pytest
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from harness.runs.config.command import command_of
from harness.runs.config.compose import CONF, compose_run
from harness.runs.config.rendered import config_yaml

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "words",
    [
        ["exp=repeat_tokens"],
        ["exp=repeat_tokens", "exp.seq_len=50", "pools.unused=177:188", "+pools.rare=[5,7]", "seed=3"],
        ["exp=repeat_tokens", "pools=doses", "model=smollm2-gguf"],
        ["exp=repeat_tokens", "model.name='./a, b (1).gguf'", "model.dtype=bfloat16"],
        ["exp=census", "exp.n_tokens=500", "tracker=none", "force=true"],
        ["exp=repair", "exp.method=gradient", "exp.token_ids=[1,2]"],
        ["exp=token_card", "exp.token=177"],
        ["exp=audit", "exp.max_glitch_rate=0.01"],
    ],
)
def test_it_composes_to_the_same_request(words: list[str]) -> None:
    config = compose_run(words)
    command = shlex.split(command_of(yaml.safe_load(config_yaml(config))))
    assert command[:3] == ["python", "-m", "harness"]
    again = compose_run(command[3:])
    for name in ("exp_name", "exp", "model", "tokenizer", "pools", "seed"):
        assert getattr(again, name) == getattr(config, name), name


@pytest.mark.parametrize(
    "token",
    ["null", "-5", " the", "it's", "\\'", "back\\slash\\", "${x}", "[x]", "{a: 1}", "\u043a\u043b"],
)  # fmt: skip
def test_any_text_comes_back(token: str) -> None:
    config = yaml.safe_load(config_yaml(compose_run(["exp=token_card", "exp.token=a"])))
    config["exp"]["token"] = token
    again = compose_run(shlex.split(command_of(config))[3:])
    assert str(again.exp.token) == token  # type: ignore[attr-defined]


def test_it_says_only_what_differs() -> None:
    config = compose_run(["exp=repeat_tokens", "exp.seq_len=50", "tracker=none", "results_dir=/elsewhere"])
    assert command_of(yaml.safe_load(config_yaml(config))) == "python -m harness exp=repeat_tokens exp.seq_len=50"


def test_a_job_of_a_sweep_keeps_its_hydra() -> None:
    stored = yaml.safe_load(config_yaml(compose_run(["exp=repeat_tokens", "seed=3"])))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        of_the_sweep = GlobalHydra.instance().hydra
        assert command_of(stored) == "python -m harness exp=repeat_tokens seed=3"
        assert GlobalHydra.instance().hydra is of_the_sweep is not None
