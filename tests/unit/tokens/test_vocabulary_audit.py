"""Categories of ids: a made-up tokenizer whose answers are known, and GPT-2's published figures."""

from collections.abc import Sequence
from typing import ClassVar

import pytest
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.tokens.lookup import find_token
from harness.tokens.vocabulary_audit import ByteType, Category, audit_token, audit_vocabulary, byte_type
from tests.helpers.small_tokenizers import byte_level as byte_level_with
from tests.helpers.small_tokenizers import unigram, wordpiece
from tests.helpers.zoo_tokenizers import KINDS, brute_force

pytestmark = pytest.mark.unit

# Of the model "openai_community_gpt2" in Magikarp's reports: flagged partial UTF-8 tokens.
KNOWN_FRAGMENTS = (39820, 33434)


class ToyTokenizer:
    """Nine ids whose fate is known: texts, and what each text encodes to."""

    texts: ClassVar = {0: "a", 1: "ab", 2: "[PAD]", 3: "\ufffd", 4: "x\ufffd", 5: "bc", 6: "cd", 7: "<s>"}
    encodings: ClassVar = {"ab": [1], "[PAD]": [0, 1], "\ufffd": [5], "x\ufffd": [4], "bc": [1], "cd": [0, 1]}
    special_ids = frozenset({7})
    known_ids = frozenset(range(8))

    def byte_id(self, byte: int) -> int | None:
        return 0 if byte == ord("a") else None

    def token_text(self, token_id: int) -> str:
        return self.texts[token_id]

    def spellings(self, token_id: int) -> tuple[str, ...]:
        # Id 3 stands for a byte that is part of a character, id 4 really holds U+FFFD.
        return ("\\xe2",) if token_id == 3 else (self.texts[token_id],)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [[0] if text == "a" else self.encodings.get(text, []) for text in texts]

    def decode_batch(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return ["".join(self.texts[i] for i in row) for row in rows]


def test_every_id_of_a_made_up_vocabulary_gets_its_category():
    audit = audit_vocabulary(ToyTokenizer(), n_rows=10)
    found = {token.id: token.category for token in audit.tokens}
    assert found == {
        0: Category.BYTE,
        1: Category.OK,
        2: Category.UNREACHABLE_SEVERAL,
        3: Category.UTF8_FRAGMENT,
        4: Category.OK,
        5: Category.UNREACHABLE_ONE,
        6: Category.UNREACHABLE_SEVERAL,
        7: Category.SPECIAL,
        8: Category.NO_TOKEN,
        9: Category.NO_TOKEN,
    }
    assert sum(audit.counts.values()) == 10
    assert audit.n_genuine_replacements == 1
    assert [token.id for token in audit.tokens if token.looks_special] == [2, 7]
    assert audit.tokens[5].encodes_to == (1,)
    assert audit.byte_counts == {ByteType.ASCII: 1, ByteType.UTF8: 0, ByteType.UNUSED_UTF8: 0}


def test_rows_fewer_than_the_tokenizer_has_tokens_are_audited_alone():
    assert [token.id for token in audit_vocabulary(ToyTokenizer(), n_rows=3).tokens] == [0, 1, 2]


def test_a_byte_is_ascii_part_of_utf8_or_in_no_utf8_text():
    kinds = [byte_type(byte) for byte in range(256)]
    never = {byte for byte in range(256) if all(bytes([byte]) not in chr(c).encode() for c in _every_length())}
    assert {byte for byte, kind in enumerate(kinds) if kind is ByteType.UNUSED_UTF8} == never
    assert [kind is ByteType.ASCII for kind in kinds] == [byte < 128 for byte in range(256)]


def _every_length() -> list[int]:
    """Characters that between them use every byte that UTF-8 can use."""
    one_byte, two_bytes = range(0x80), range(0x80, 0x800)
    three_bytes = [c for c in range(0x800, 0x10000, 64) if not 0xD800 <= c <= 0xDFFF]
    return [*one_byte, *two_bytes, *three_bytes, *range(0x10000, 0x110000, 4096)]


def test_gpt2_has_the_published_numbers_of_each_kind(shared_dir):
    tokenizer = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(shared_dir / "tokenizers" / "gpt2")))
    assert tokenizer is not None
    audit = audit_vocabulary(tokenizer)
    assert audit.counts == {
        Category.NO_TOKEN: 0,
        Category.SPECIAL: 1,
        Category.BYTE: 256,
        Category.OK: 49_784,
        Category.UTF8_FRAGMENT: 216,
        Category.UNREACHABLE_ONE: 0,
        Category.UNREACHABLE_SEVERAL: 0,
    }
    assert audit.n_genuine_replacements == 8
    assert audit.byte_counts[ByteType.UNUSED_UTF8] == 13
    assert {audit.tokens[i].category for i in KNOWN_FRAGMENTS} == {Category.UTF8_FRAGMENT}
    assert {audit.tokens[i].byte for i in range(177, 188)} == set(range(0xF5, 0x100))


def test_a_tokenizer_that_marks_the_start_of_a_text_reaches_tokens_inside_words(shared_dir):
    folder = shared_dir / "models" / "stories260k"
    tokenizer = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(folder)))
    assert tokenizer is not None
    inside_a_word = tokenizer.encode("the")[-1:] + tokenizer.encode("tha")[-1:]
    audit = audit_vocabulary(tokenizer)
    assert audit.counts[Category.SPECIAL] == 3
    assert audit.counts[Category.BYTE] == 256
    assert audit.counts[Category.OK] == 512 - 3 - 256
    assert all(audit.tokens[i].category is Category.OK for i in inside_a_word)
    # The leading space is part of the token, not of the prefix it was tried behind.
    assert audit.tokens[tokenizer.encode("the")[0]].text == " the"


def test_batches_give_what_single_calls_give(shared_dir):
    tokenizer = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(shared_dir / "tokenizers" / "gpt2")))
    assert tokenizer is not None
    rows = [[i] for i in range(0, 50257, 997)] + [[447, 247]]
    texts = [tokenizer.decode(row) for row in rows]
    assert tokenizer.decode_batch(rows) == texts
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_batch([]) == tokenizer.decode_batch([]) == []


def test_continuations_of_a_wordpiece_are_found_inside_words():
    tokenizer = Tokenizer(PreTrainedTokenizerFast(tokenizer_object=wordpiece(("##zzq", "a b"))), "wordpiece")
    audit = audit_vocabulary(tokenizer)
    categories = {tokenizer.token_name(token.id): token.category for token in audit.tokens}
    assert {categories[name] for name in ("the", "a", "##a", "##ing", "##zzq")} == {Category.OK}
    assert categories["a b"] is Category.UNREACHABLE_SEVERAL


def test_a_unigram_without_guillemets_is_audited_by_its_own_letters():
    tokenizer = Tokenizer(PreTrainedTokenizerFast(tokenizer_object=unigram()), "unigram")
    audit = audit_vocabulary(tokenizer)
    categories = {tokenizer.token_name(token.id): token.category for token in audit.tokens}
    assert {categories[name] for name in ("▁the", "the", "▁on", "on", "a")} == {Category.OK}
    exact = tokenizer.ids_of_text("on")
    assert [tokenizer.token_name(i) for i in exact] == ["on"]
    assert find_token("on", 100, tokenizer) == exact[0] != tokenizer.encode("on")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_reachable_where_some_text_leads_to_it(kind):
    tokenizer = KINDS[kind]()
    audit, produced = audit_vocabulary(tokenizer), brute_force(tokenizer)
    lost = {token.id for token in audit.tokens if token.category.is_unreachable}
    assert {tokenizer.token_name(i) for i in lost & produced} == set()
    found = {token.id for token in audit.tokens if token.is_reachable}
    assert {tokenizer.token_name(i) for i in found - produced} == set()
    assert {tokenizer.token_name(i) for i in lost} >= UNREACHABLE.get(kind, set())
    assert len(lost) < 0.3 * len(audit.tokens)
    assert audit.counts[Category.BYTE] == (256 if kind in HAVE_BYTES else 0)


# What was put into the vocabulary, or left in it, without a text that leads there.
UNREACHABLE = {
    "wordpiece": {"The", "two words", "##éa"},
    "bpe_with_ends": {"!", "(", ")", ","},
    # A word that an added token takes out of every text.
    "added_tokens": {"\u0120\u00c4\u0133em"},
}
HAVE_BYTES = ("byte_level", "byte_level_with_space", "sentencepiece", "bytes_alone", "added_tokens")


def test_added_tokens_are_their_text_and_no_bytes():
    tokenizer = KINDS["added_tokens"]()
    (word,), (other,) = tokenizer.encode("đem"), tokenizer.encode("đã")
    assert tokenizer.decode([word, other, *tokenizer.encode(" cat")]) == "đemđã cat"
    assert tokenizer.decode_batch([[word], [other, word], tokenizer.encode("é")]) == ["đem", "đãđem", "é"]
    audit = audit_vocabulary(tokenizer)
    for i, text in ((word, "đem"), (other, "đã")):
        assert (audit.tokens[i].category, audit.tokens[i].text, audit.tokens[i].is_reachable) == (
            Category.OK,
            text,
            True,
        )


def test_an_added_character_is_not_the_byte_that_is_written_like_it():
    backend = byte_level_with(left_out=(0xF5,))
    backend.add_tokens([AddedToken("õ", normalized=False)])
    tokenizer = Tokenizer(PreTrainedTokenizerFast(tokenizer_object=backend), "added")
    (letter,) = tokenizer.encode("õ")
    assert tokenizer.byte_id(0xF5) is None
    assert audit_vocabulary(tokenizer).tokens[letter].category is Category.OK


@pytest.mark.parametrize("kind", ["wordpiece", "bpe_with_ends", "byte_level_with_space", "added_tokens"])
def test_one_token_alone_is_what_it_is_among_all(kind):
    tokenizer = KINDS[kind]()
    for token in audit_vocabulary(tokenizer).tokens[::7]:
        assert audit_token(tokenizer, token.id) == token


def test_bytes_of_a_tokenizer_of_bytes():
    tokenizer = KINDS["bytes_alone"]()
    assert [tokenizer.byte_id(byte) for byte in range(256)] == list(range(3, 259))
    assert tokenizer.token_text(3 + 0xC3) == "\\xc3"
    assert [token.byte for token in audit_vocabulary(tokenizer).of(Category.BYTE) if token.is_reachable] == [
        *range(128)
    ]
