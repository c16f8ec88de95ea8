"""Which ids count as known to be unused, in the order of the rules."""

from dataclasses import replace

import pytest

from harness.errors import Rejected
from harness.glitch.indicators import known_unused_ids
from harness.models.vocab_facts import VocabFacts

pytestmark = pytest.mark.unit

FACTS = VocabFacts(
    label="some-model",
    d_vocab=600,
    n_ctx=32,
    n_tokenizer=590,
    unnamed_ids=(598, 599),
    special_ids=frozenset(),
    bos_id=None,
    byte_ids=tuple(range(256)),
    merges=(),
    exposures=None,
)


def test_what_the_config_gives_comes_first_and_each_id_once():
    assert known_unused_ids(replace(FACTS, label="gpt2"), [5, 7, 5]).ids == (5, 7)
    with pytest.raises(Rejected, match=r"^unused_ids: got 600, allowed: ids from 0 to 599"):
        known_unused_ids(FACTS, [3, 600])


def test_a_known_family_has_its_published_ids():
    found = known_unused_ids(replace(FACTS, label="openai-community--gpt2-large"))
    assert found.ids == tuple(range(177, 188))
    assert "Land & Bartolo" in found.rule
    assert known_unused_ids(replace(FACTS, label="EleutherAI--pythia-160m-deduped")).ids == (173,)


def test_a_published_list_that_does_not_fit_the_vocabulary_is_not_used():
    assert known_unused_ids(replace(FACTS, label="OLMo-7B")).ids == tuple(range(0xF5, 0x100))


def test_bytes_that_no_text_holds_then_rows_without_a_token_then_a_refusal():
    assert known_unused_ids(FACTS).ids == tuple(range(0xF5, 0x100))
    without_bytes = replace(FACTS, byte_ids=())
    assert known_unused_ids(without_bytes).ids == (598, 599)
    with pytest.raises(Rejected, match=r"none known for some-model"):
        known_unused_ids(replace(without_bytes, unnamed_ids=()))
