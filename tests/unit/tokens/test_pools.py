"""What pool specs mean, and how those that mean nothing are refused."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Rejected
from harness.models.exposures import Exposures
from harness.models.vocab_facts import VocabFacts
from harness.tokens.pool_spec import PoolSpec
from harness.tokens.pools import resolve_pools
from harness.tokens.unused.bytes_never_used import BYTES_UTF8_NEVER_HOLDS

pytestmark = pytest.mark.unit

# ids 0-2 special, 3-258 the bytes, 259-511 merges, 512-519 rows without a token
BASE = VocabFacts(
    label="small",
    d_vocab=520,
    n_ctx=128,
    n_tokenizer=512,
    unnamed_ids=tuple(range(512, 520)),
    special_ids=frozenset({0, 1, 2}),
    bos_id=1,
    byte_ids=tuple(range(3, 259)),
    merges=tuple(range(259, 512)),
    exposures=None,
)


def vocabulary(counts: Iterable[int] | None = None, **changes: Any) -> VocabFacts:
    """The small vocabulary with fields replaced; `counts` are training exposures."""
    if counts is not None:
        total = np.asarray(list(counts), dtype=np.int64)
        changes["exposures"] = Exposures(total, total, 0 * total, 0 * total)
    return replace(BASE, **changes)


class Words:
    """Every merge is a word of its own but for some that are not plain text."""

    odd: ClassVar = {260: "", 262: " ", 264: "a\u202eb", 266: "a�", 268: "not the only way"}

    def decode(self, ids: Iterable[int]) -> str:
        """`w<id>`, with the odd ones as above."""
        return "".join(self.odd.get(token, f"w{token}") for token in ids)

    def encode(self, text: str) -> list[int]:
        """The id behind the w; the odd ones split."""
        return [int(text[1:])] if text.startswith("w") else [3, 4]


def ids_of(spec: PoolSpec, facts: VocabFacts = BASE, seed: int = 0, tokenizer: Any = None) -> tuple[int, ...]:
    return resolve_pools({"some": spec}, facts, seed, tokenizer)["some"].ids


def test_slices_and_lists() -> None:
    assert ids_of("177:188") == tuple(range(177, 188))
    assert ids_of("518:520") == (518, 519)
    assert ids_of((9, 5, 7)) == (5, 7, 9)


@given(st.integers(3, 519), st.integers(1, 600))
def test_a_slice_is_its_ids_or_refused(low: int, length: int) -> None:
    if low + length <= 520:
        assert ids_of(f"{low}:{low + length}") == tuple(range(low, low + length))
    else:
        with pytest.raises(Rejected, match="from 0 to 519"):
            ids_of(f"{low}:{low + length}")


@given(st.lists(st.integers(3, 519), min_size=1, max_size=30, unique=True), st.randoms())
def test_the_order_of_a_list_means_nothing(ids: list[int], random: Any) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)
    assert ids_of(tuple(ids)) == ids_of(tuple(shuffled)) == tuple(sorted(ids))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("5:5", "empty"),
        ("9:5", "reversed"),
        ("-5:9", "-5 is outside the vocabulary"),
        ("500:521", "520 is outside the vocabulary"),
        ("0:900000000000000", "outside the vocabulary"),
        ("1.5:9", "two whole numbers"),
        ("5", "two whole numbers"),
        ("5:7:9", "two whole numbers"),
        (":9", "two whole numbers"),
        ((), "empty"),
        ((5, 600), "600 is outside"),
        ((-1, 5), "-1 is outside"),
        ((5, 6, 5), "5 is there 2 times"),
        ("byte_unsed", "did you mean 'byte_unused'"),
        ("", "a rule"),
        ("all:3", "on its own"),
        ("exposures", "either bound may be empty"),
        ("exposures::", "either bound may be empty"),
        ("exposures:0:1", "nobody counted"),
        ("natural:0:1", "nobody counted"),
        ("natural::", "natural:LOW:HIGH"),
        ("planted:256", "none are known"),
        ("early_merges", "no tokenizer"),
        ("auto", "unused and common only"),
    ],
)
def test_refusals_name_the_pool_the_value_and_what_is_allowed(spec: PoolSpec, said: str) -> None:
    with pytest.raises(Rejected) as refusal:
        ids_of(spec)
    message = str(refusal.value)
    got = list(spec) if isinstance(spec, tuple) else spec
    assert message.startswith(f"pools.some: got {got!r}, allowed: ")
    assert said in message
    assert "\n" not in message


def test_no_pools_and_odd_names() -> None:
    with pytest.raises(Rejected, match="pools: none given"):
        resolve_pools({}, BASE, 0)
    with pytest.raises(Rejected, match="pools: got 'a/b'"):
        resolve_pools({"a/b": "5:6"}, BASE, 0)


def test_overlap_names_both_pools_and_the_ids() -> None:
    with pytest.raises(Rejected) as refusal:
        resolve_pools({"rare": "10:20", "other": "30:40", "common": (18, 19, 25)}, BASE, 0)
    assert str(refusal.value).startswith(
        "pools.rare ('10:20') and pools.common ((18, 19, 25)) overlap in 2 ids: 18, 19;"
    )


def test_byte_unused_is_what_no_text_encodes_to() -> None:
    used = {byte for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF for byte in chr(code).encode()}
    assert set(BYTES_UTF8_NEVER_HOLDS) == set(range(256)) - used
    assert ids_of("byte_unused") == tuple(sorted(byte + 3 for byte in BYTES_UTF8_NEVER_HOLDS))


def test_byte_unused_with_missing_byte_tokens() -> None:
    some = tuple(3 if byte == 0xC0 else None for byte in range(256))
    assert ids_of("byte_unused", vocabulary(byte_ids=some)) == (3,)
    with pytest.raises(Rejected, match="no tokens for single bytes"):
        ids_of("byte_unused", vocabulary(byte_ids=()))


def test_exposures_are_half_open_and_leave_special_tokens_out() -> None:
    facts = vocabulary(counts=range(520))
    assert ids_of("exposures:0:5", facts) == (3, 4)
    assert ids_of("exposures:516:", facts) == (516, 517, 518, 519)
    assert ids_of("exposures::4", facts) == (3,)
    for spec, said in (("exposures:5:5", "LOW < HIGH"), ("exposures:9000:", "empty"), ("exposures:a:b", "half-open")):
        with pytest.raises(Rejected, match=said):
            ids_of(spec, facts)


def test_natural_and_planted_tokens_are_drawn_apart() -> None:
    counts = [0] * 520
    counts[5], counts[6], counts[7], counts[8] = 1, 64, 64, 70
    facts = vocabulary(counts=counts, planted={0: (3, 4), 64: (7, 2)})
    assert ids_of("exposures:64:100", facts) == (6, 7, 8)
    assert ids_of("natural:64:100", facts) == (6, 8)
    # 2 is special.
    assert ids_of("planted:64", facts) == (7,)
    assert ids_of("planted:0", facts) == (3, 4)
    assert not {3, 4} & set(ids_of("natural:0:1", facts))
    labels = {spec: resolve_pools({"some": spec}, facts, 0)["some"].label for spec in ("natural:1:2", "planted:64")}
    assert labels == {
        "natural:1:2": "natural, shown once in training",
        "planted:64": "planted, shown 64 times in training",
    }
    for spec in ("planted:1", "planted:", "planted", "planted:0:1", "planted:-1"):
        with pytest.raises(Rejected, match="a dose that was planted: 0, 64"):
            ids_of(spec, facts)


def test_without_planted_tokens_all_are_natural() -> None:
    facts = vocabulary(counts=range(520))
    assert ids_of("natural:5:9", facts) == ids_of("exposures:5:9", facts) == (5, 6, 7, 8)


def test_early_merges_are_ordinary_early_and_seeded() -> None:
    ids = ids_of("early_merges", seed=1, tokenizer=Words())
    early = set(range(259, 259 + 253 // 2)) - set(Words.odd)
    assert set(ids) == early  # the pool holds fewer than the sample's size
    facts = vocabulary(d_vocab=5000, merges=tuple(range(259, 4259)), unnamed_ids=())
    first, again, other = (ids_of("early_merges", facts, seed, Words()) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 256
    assert max(first) < 1259 and not set(first) & set(Words.odd)


def test_a_proxy_says_so() -> None:
    pools = resolve_pools({"unused": "auto", "common": "auto"}, BASE, 0, Words())
    assert pools["unused"].ids == ids_of("byte_unused")
    assert not pools["unused"].is_proxy
    assert pools["common"].is_proxy
    assert "proxy" in pools["common"].label
    assert any("training counts are not known" in note for note in pools["common"].notes)


def test_auto_prefers_known_exposures() -> None:
    counts = np.full(520, 50)
    counts[10:20], counts[300:310], counts[2] = 0, 1000, 5000
    pools = resolve_pools({"unused": "auto", "common": "auto"}, vocabulary(counts=counts), 0)
    assert pools["unused"].ids == tuple(range(10, 20))
    assert pools["common"].ids == tuple(range(300, 310))
    assert (pools["unused"].label, pools["common"].is_proxy) == ("never shown in training", False)


def test_all_is_everything_but_special_and_says_what_lies_beyond_the_tokenizer() -> None:
    pool = resolve_pools({"some": "all"}, BASE, 0)["some"]
    assert pool.ids == tuple(range(3, 520))
    assert pool.notes == ("pools.some: 8 of 517 ids are embedding rows without a token of the tokenizer",)
    assert resolve_pools({"some": "3:9"}, BASE, 0)["some"].notes == ()


def test_parts_of_the_common_tokens_are_disjoint_alike_and_dealt_by_the_seed() -> None:
    counted = vocabulary([5_000 if 259 <= token < 359 else 0 for token in range(520)])
    parts = [ids_of(f"common_part:{number}:2", counted) for number in (1, 2)]
    assert [len(part) for part in parts] == [50, 50]
    assert sorted(parts[0] + parts[1]) == list(range(259, 359))
    assert parts[0] != ids_of("common_part:1:2", counted, seed=1)
    assert parts[0] == ids_of("common_part:1:2", counted)
    # Dealt at random: neither half of the vocabulary's order lies in one part.
    assert 10 < sum(token < 309 for token in parts[0]) < 40
    proxies = resolve_pools({"a": "common_part:1:3", "b": "common_part:2:3"}, BASE, 0, Words())
    assert proxies["a"].is_proxy and proxies["a"].label.startswith("random part 1 of 3 of ")
    whole = set(resolve_pools({"common": "auto"}, BASE, 0, Words())["common"].ids)
    assert set(proxies["a"].ids) | set(proxies["b"].ids) < whole


@pytest.mark.parametrize(
    "spec", ["common_part", "common_part:1", "common_part:0:2", "common_part:3:2", "common_part:1:1"]
)
def test_a_part_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(Rejected, match=r"^pools.some: got 'common_part.*allowed: common_part:NUMBER:PARTS with"):
        ids_of(spec, tokenizer=Words())
