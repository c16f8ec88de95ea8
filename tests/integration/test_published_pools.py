"""pools=blog: refused where its ids are other tokens, figures only beside the model they are of."""

import json

import pytest

from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.models.recognised import ModelMarks, carries
from harness.runs.config.compose import compose_run
from harness.runs.lifecycle import find_subject
from harness.runs.preparing import prepare
from tests.helpers.small_tokenizers import byte_level, write_model

pytestmark = pytest.mark.integration


def prepared(folder, *overrides):
    return prepare(compose_run(["exp=repeat_tokens", f"model.name={folder}", "pools=blog", *overrides]))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A tokenizer with GPT-2's bytes, three ids further on."""
    tokenizer = byte_level(("<|endoftext|>", "<a>", "<b>"))
    return write_model(tmp_path_factory.mktemp("gpt2") / "gpt2", tokenizer)


def test_ids_that_are_other_tokens_are_refused_whatever_the_folder_is_called(other):
    with pytest.raises(Rejected) as refusal:
        find_subject(prepared(other))
    message = str(refusal.value)
    assert message.startswith("pools.unused: got '177:188', allowed: other ids here")
    assert "F5 to FF" in message and "177 is 'ò'" in message and "pools=default" in message


def test_a_pool_of_ones_own_is_not_held_to_it(other):
    subject = find_subject(prepared(other, "pools.unused=180:191", "pools.common=20:40"))
    assert subject.pools["unused"].ids == tuple(range(180, 191))


def test_pocket_has_the_bytes_and_not_the_figures():
    found = prepared("pocket")
    assert found.config.reference is None
    assert find_subject(found).pools["unused"].ids == tuple(range(177, 188))


def test_figures_stand_beside_gpt2_small_with_its_tokenizer(tmp_path, shared_dir):
    import transformers as tf

    folder = tmp_path / "called_otherwise"
    tf.GPT2LMHeadModel(tf.GPT2Config(n_layer=12)).save_pretrained(folder)
    for path in (shared_dir / "tokenizers" / "gpt2").iterdir():
        if path.name != "config.json":
            (folder / path.name).write_bytes(path.read_bytes())
    reference = prepared(folder).config.reference
    assert reference is not None and reference.metrics["unused/logprob_first_half"] == -17.27
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "n_layer": 24}))
    marks = ModelMarks({"model_type": "gpt2", "n_layer": 12})
    assert not carries(resolve_identity(ModelConfig(str(folder))), None, marks)
    assert carries(resolve_identity(ModelConfig(str(folder))), None, ModelMarks({"n_layer": 24}, {"Ġthe": 262}))
    assert not carries(resolve_identity(ModelConfig(str(folder))), None, ModelMarks({}, {"Ġthe": 263}))
