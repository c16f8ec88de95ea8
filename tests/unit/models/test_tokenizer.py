"""The tokenizer wrapper, on hand-made vocabularies and on the shared real ones."""

import json
from pathlib import Path

import pytest

from harness.errors import Rejected
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.identity import ModelIdentity, ModelSource
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer


def identity(folder: Path) -> ModelIdentity:
    return ModelIdentity(str(folder), ModelSource.LOCAL, folder, None, "0", folder.name)


def load(folder: Path) -> Tokenizer | None:
    return load_tokenizer(identity(folder), ModelConfig())


def definition(merges: list) -> dict:
    """tokenizer.json of a byte-level BPE over the bytes of 'a b c' with three merges and two added tokens."""
    vocabulary = {"a": 0, "b": 1, "c": 2, "Ġ": 3, "õ": 4, "Ġa": 5, "bc": 6, "Ġabc": 7}
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": 8, "content": "<|sep|>", "special": True, **added},
            {"id": 9, "content": " two words", "special": False, **added},
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "post_processor": {  # puts <|sep|> in front of every text, as Llama's puts <s>
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|sep|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<|sep|>": {"id": "<|sep|>", "ids": [8], "tokens": ["<|sep|>"]}},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges, "unk_token": None},
    }


@pytest.fixture(params=["pairs", "strings"])
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> Tokenizer:
    pairs = [["b", "c"], ["Ġ", "a"], ["Ġa", "bc"]]
    merges = pairs if request.param == "pairs" else [" ".join(pair) for pair in pairs]
    (tmp_path / "tokenizer.json").write_text(json.dumps(definition(merges)))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    loaded = load(tmp_path)
    assert loaded is not None
    return loaded


def test_ids_by_hand(tiny: Tokenizer) -> None:
    assert tiny.encode(" abc") == [7]
    assert tiny.encode("a bc") == [0, 3, 6]
    assert tiny.encode("<|sep|> a") == [8, 5]
    assert tiny.decode([7, 8, 3, 3, 0]) == " abc<|sep|>  a"


def test_merges_in_the_order_they_were_learnt(tiny: Tokenizer) -> None:
    assert tiny.merges() == [6, 5, 7]


def test_tokens_and_special_ids(tiny: Tokenizer) -> None:
    assert (tiny.n_tokens, tiny.known_ids) == (10, frozenset(range(10)))
    assert tiny.special_ids == {8}
    assert tiny.bos_id is None
    assert tiny.chat_template is None


def test_bytes(tiny: Tokenizer) -> None:
    assert [tiny.byte_id(byte) for byte in (ord("a"), ord(" "), 0xF5, ord("z"))] == [0, 3, 4, None]
    with pytest.raises(ValueError, match="256"):
        tiny.byte_id(256)


def test_token_texts(tiny: Tokenizer) -> None:
    assert [tiny.token_text(i) for i in (7, 4, 8, 9, 99)] == [" abc", "\\xf5", "<|sep|>", " two words", "<id 99>"]


def test_a_folder_without_tokenizer_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    assert load(tmp_path) is None


def test_a_named_folder_without_tokenizer_files(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"tokenizer\.name: got .* allowed: a folder with one of tokenizer\.json"):
        load_tokenizer(identity(tmp_path), ModelConfig(), TokenizerConfig(name=str(tmp_path)))


def test_corrupt_tokenizer_json(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"version": ')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(Rejected, match=r"model\.name: .* its tokenizer cannot be read"):
        load(tmp_path)


def test_no_merges_where_there_is_no_bpe(tmp_path: Path) -> None:
    content = definition([])
    content["model"] = {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1}, "unk_token": "<unk>"}
    content["pre_tokenizer"] = {"type": "Whitespace"}
    content["decoder"] = None
    content["added_tokens"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    words = load(tmp_path)
    assert words is not None
    assert words.merges() == []
    assert words.merge_parts() == {}
    # 'a' is a word here and not the byte 0x61.
    assert all(words.byte_id(byte) is None for byte in range(256))


@pytest.fixture(scope="module")
def gpt2(shared_dir: Path) -> Tokenizer:
    loaded = load(shared_dir / "tokenizers" / "gpt2")
    assert loaded is not None
    return loaded


class TestGpt2:
    def test_published_ids(self, gpt2: Tokenizer) -> None:
        assert gpt2.n_tokens == 50257
        assert gpt2.encode(" SolidGoldMagikarp") == [43453]
        assert gpt2.bos_id == 50256
        assert gpt2.special_ids == {50256}

    def test_bytes_that_utf8_never_holds_are_ids_177_to_187(self, gpt2: Tokenizer) -> None:
        assert [gpt2.byte_id(byte) for byte in range(0xF5, 0x100)] == list(range(177, 188))
        assert sorted(gpt2.byte_id(byte) for byte in range(256)) == list(range(256))
        assert gpt2.token_text(177) == "\\xf5"

    def test_merges_follow_the_bytes(self, gpt2: Tokenizer) -> None:
        assert gpt2.merges() == list(range(256, 50256))
        parts = gpt2.merge_parts()
        assert list(parts) == gpt2.merges()
        assert [gpt2.token_text(i) for i in parts[43453]] == [" Solid", "GoldMagikarp"]

    @pytest.mark.parametrize("text", ["Hello , world  x .\n\tdon 't", "naïve 日本 🙂", " <|endoftext|> "])
    def test_decode_undoes_encode(self, gpt2: Tokenizer, text: str) -> None:
        assert gpt2.decode(gpt2.encode(text)) == text


@pytest.fixture(scope="module")
def stories(shared_dir: Path) -> Tokenizer:
    loaded = load(shared_dir / "models" / "stories260k")
    assert loaded is not None
    return loaded


class TestStories:
    def test_ids_as_documented(self, stories: Tokenizer) -> None:
        assert (stories.n_tokens, stories.bos_id, stories.special_ids) == (512, 1, {0, 1, 2})
        assert [stories.byte_id(byte) for byte in range(256)] == list(range(3, 259))

    def test_no_bos_is_added(self, stories: Tokenizer) -> None:
        ids = stories.encode("Once upon a time")
        assert not stories.special_ids & set(ids)
        assert stories.decode(ids) == "Once upon a time"

    def test_merges_lie_among_the_learnt_pieces(self, stories: Tokenizer) -> None:
        merges = stories.merges()
        assert merges[:3] == [259, 260, 261]
        assert len(set(merges)) == len(merges)
        assert all(259 <= i < 512 for i in merges)

    def test_a_space_stays_visible(self, stories: Tokenizer) -> None:
        assert stories.token_text(stories.encode(" the")[-1]).startswith(" ")
        assert stories.token_text(248) == "<0xF5>"
