"""Losses of small tokenizers that are known by hand, and SmolLM2's."""

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.tokens.lossiness import FATES, N_CODE_POINTS, SURROGATES, Fate, Stretch, find_losses
from tests.helpers.small_tokenizers import byte_level, wordpiece
from tests.helpers.zoo_tokenizers import KINDS

pytestmark = pytest.mark.unit

N_CHARACTERS = N_CODE_POINTS - len(SURROGATES)


def wrapped(backend: Backend, **named: str) -> Tokenizer:
    return Tokenizer(PreTrainedTokenizerFast(tokenizer_object=backend, **named), "small")


def test_a_byte_that_was_left_out_takes_its_characters_with_it():
    # q, and the byte that every character from U+6000 to U+6FFF begins with.
    losses = find_losses(wrapped(byte_level(left_out=(ord("q"), 0xE6))))
    assert [FATES[fate] for fate in losses.byte_fates].count(Fate.KEPT) == 254
    assert {FATES[losses.byte_fates[byte]] for byte in (ord("q"), 0xE6)} == {Fate.VANISHED}
    # The other two bytes of each character are left: two that are no text.
    assert losses.stretches == (
        Stretch(ord("q"), ord("q"), Fate.VANISHED, ""),
        Stretch(0x6000, 0x6FFF, Fate.CHANGED, "\ufffd\ufffd"),
    )
    assert losses.n_characters(Fate.CHANGED, Fate.VANISHED) == 4_096 + 1
    assert losses.n_characters(Fate.KEPT) == N_CHARACTERS - 4_097
    assert set(losses.character_fates[list(SURROGATES)].tolist()) == {-1}


def test_lower_case_accents_and_what_is_not_known():
    losses = find_losses(wrapped(wordpiece(), unk_token="[UNK]"))
    fate = {code: FATES[losses.character_fates[code]] for code in map(ord, "a b\u00c9A\u0301\u00a0\U0001f600!\x00")}
    assert [losses.comes_back_as.get(ord(text)) for text in ("A", "\u00c9", "\u00a0")] == ["a", "e", " "]
    assert [fate[ord(text)] for text in "a b"] == [Fate.KEPT] * 3
    assert [fate[ord(text)] for text in "A\u00c9\u00a0"] == [Fate.CHANGED] * 3
    assert [fate[ord(text)] for text in "\u0301\x00"] == [Fate.VANISHED] * 2
    assert [fate[ord(text)] for text in "!\U0001f600"] == [Fate.UNKNOWN] * 2
    # It knows no bytes: none was tried.
    assert set(losses.byte_fates.tolist()) == {-1}


@pytest.mark.slow
def test_the_mark_for_a_space_comes_back_as_a_space():
    losses = find_losses(KINDS["sentencepiece"]())
    assert losses.stretches == (Stretch(0x2581, 0x2581, Fate.CHANGED, " "),)
    assert losses.n_bytes(Fate.KEPT) == 256


def test_where_no_character_survives_none_is_tried():
    backend = Backend(models.WordLevel({"[UNK]": 0, "word": 1}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    losses = find_losses(wrapped(backend, unk_token="[UNK]"))
    assert set(losses.character_fates.tolist()) == {-1}
    assert losses.stretches == ()


@pytest.mark.slow
def test_smollm2_drops_21_bytes(smollm2_file):
    tokenizer = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(smollm2_file)))
    losses = find_losses(tokenizer)
    dropped = [byte for byte in range(256) if FATES[losses.byte_fates[byte]] is Fate.VANISHED]
    control = [0x04, 0x06, 0x13, 0x14, 0x16, 0x1D]
    assert dropped == [*control, 0xC0, 0xC1, 0xF1, 0xF2, *range(0xF5, 0x100)]
    assert losses.n_characters(Fate.VANISHED) == len(control)
    # Eight planes of which none is assigned begin with F1 and F2.
    assert losses.n_characters(Fate.CHANGED) == 0xC0000 - 0x40000
