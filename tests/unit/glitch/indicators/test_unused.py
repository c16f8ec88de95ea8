"""Which ids count as known to be unused: given, published for this very tokenizer, or found by the rules."""

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import Rejected
from harness.glitch.indicators import known_unused_ids
from harness.models.vocab_facts import VocabFacts
from harness.tokens.evidence import TokenEvidence

pytestmark = pytest.mark.unit

FACTS = VocabFacts(
    label="some-model",
    d_vocab=600,
    n_ctx=32,
    n_tokenizer=590,
    unnamed_ids=tuple(range(590, 600)),
    special_ids=frozenset({3}),
    bos_id=None,
    byte_ids=tuple(range(256)),
    merges=(),
    exposures=None,
)
GPT2_BYTES = tuple(range(1, 177)) + (0,) * 68 + (0,) + tuple(range(177, 188))


class Named:
    """A vocabulary that is known by the names of some ids."""

    special_ids: frozenset[int] = frozenset()
    chat_templates = ()

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names
        self.known_ids = frozenset(names)

    def token_name(self, token_id: int) -> str | None:
        return self.names.get(token_id)

    def token_text(self, token_id: int) -> str:
        return self.names.get(token_id, "")

    def spellings(self, token_id: int) -> tuple[str, ...]:
        return (self.token_text(token_id),)

    def byte_id(self, byte: int) -> int | None:
        return None

    def ids_by_score(self) -> list[int]:
        return []

    def encode(self, text: str) -> list[int]:
        return [i for i, name in self.names.items() if name == text]

    def decode(self, ids: Any) -> str:
        return "".join(self.names.get(i, "") for i in ids)

    def encode_batch(self, texts: Any) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def decode_batch(self, rows: Any) -> list[str]:
        return [self.decode(ids) for ids in rows]


def found(facts: VocabFacts = FACTS, given: Any = None, names: dict[int, str] | None = None) -> Any:
    return known_unused_ids(TokenEvidence(facts, None if names is None else Named(names)), given)


def test_what_the_config_gives_comes_first_and_each_id_once() -> None:
    given = found(replace(FACTS, byte_ids=GPT2_BYTES), [5, 3, 5])
    assert (given.ids, given.special_ids) == ((5, 3), (3,))
    with pytest.raises(Rejected, match=r"^unused_ids: got 600, allowed: ids from 0 to 599"):
        found(FACTS, [3, 600])


@pytest.mark.parametrize("label", ["some-model", "gpt2", "OLMo-2-0425-1B", "llama-2-7b", "mistral", "pythia-160m"])
def test_a_name_says_nothing(label: str) -> None:
    # Bytes stand at other ids than GPT-2's, and nothing else is known of this tokenizer.
    assert found(replace(FACTS, label=label)).ids == (0xC0, 0xC1, *range(0xF5, 0x100))


def test_gpt2s_ids_where_they_are_its_bytes() -> None:
    assert len(GPT2_BYTES) == 256
    published = found(replace(FACTS, byte_ids=GPT2_BYTES))
    assert published.ids == tuple(range(177, 188))
    assert "Land & Bartolo" in published.rule and "GPT-2" in published.rule


def test_other_families_by_what_their_ids_are() -> None:
    wide = replace(FACTS, d_vocab=32_000, unnamed_ids=(), byte_ids=tuple(range(3, 259)))
    assert found(wide, names={278: "▁the"}).ids == tuple(range(58, 130))
    assert found(wide, names={272: "▁the"}).ids == tuple(range(14, 131))
    # A tokenizer with the same bytes and another vocabulary is neither.
    assert found(wide, names={300: "▁the"}).ids[-1] == 258
    neox = [i if i < 0xF5 else None for i in range(256)]
    neox[0xF1] = 173
    assert found(replace(FACTS, byte_ids=tuple(neox))).ids == (173,)
    gemma = {7 + n: f"<unused{n}>" for n in range(99)}
    assert found(replace(FACTS, byte_ids=(), unnamed_ids=()), names=gemma).ids == tuple(range(7, 106))
    shifted = {6 + n: f"<unused{n}>" for n in range(99)}
    assert found(replace(FACTS, byte_ids=(), unnamed_ids=()), names=shifted).ids == tuple(range(6, 105))


def test_olmo_by_its_padding_and_no_one_else() -> None:
    olmo = replace(FACTS, d_vocab=50304, byte_ids=(), unnamed_ids=tuple(range(50280, 50304)))
    assert "OLMo" in found(olmo).rule
    pythia = replace(olmo, unnamed_ids=tuple(range(50277, 50304)))
    assert found(pythia).ids == tuple(range(50277, 50304))
    # OLMo-2: 100,278 tokens and 100,352 rows; its ids 50280 to 50303 are ordinary.
    second = replace(FACTS, label="OLMo-2", d_vocab=100_352, byte_ids=(), unnamed_ids=tuple(range(100_278, 100_352)))
    assert found(second).ids == tuple(range(100_278, 100_352))


def test_bytes_then_rows_without_a_token_then_a_refusal() -> None:
    assert found(replace(FACTS, byte_ids=())).ids == tuple(range(590, 600))
    with pytest.raises(Rejected, match=r"none known for some-model"):
        found(replace(FACTS, byte_ids=(), unnamed_ids=()))
