"""The run id follows every file of a model folder that an answer can depend on."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.runs.config.compose import compose_run
from harness.runs.preparing import prepare

FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "qwen.tiktoken",
    "source.spm",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/tool_use.jinja",
    "exposures.safetensors",
    "planted.json",
    "held_out.json",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text('{"model_type": "gpt2"}')
    save_file({"a": np.zeros(2, np.float32)}, made / "model.safetensors")
    return made


def run_id(folder: Path) -> str:
    return prepare(compose_run(["exp=census", "tracker=none", f"model.name={folder}"])).run_id


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_added_or_changed_is_another_run(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    ids = [run_id(folder)]
    for content in ("{}", '{"other": 1}'):
        path.write_text(content)
        ids.append(run_id(folder))
    assert len(set(ids)) == 3


@pytest.mark.parametrize("name", ["README.md", "recipe.json", "training_curve.csv"])
def test_a_file_that_no_answer_depends_on_is_the_same_run(folder: Path, name: str) -> None:
    before = run_id(folder)
    (folder / name).write_text("{}")
    assert run_id(folder) == before
