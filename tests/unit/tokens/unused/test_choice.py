"""The rules in order, on vocabularies and rows made by hand."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from harness.errors import Rejected
from harness.measure.coinciding_rows import CentredRows
from harness.models.facts import with_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.evidence import TokenEvidence
from harness.tokens.pools import resolve_pools
from harness.tokens.unused import UnusedRule, choose_unused, unused_by
from harness.tokens.unused.closest_rows import closest_rows
from tests.helpers.small_tokenizers import BERT_SPECIAL, byte_level, unigram, wordpiece

pytestmark = pytest.mark.unit

FIRST_BYTE_LEFT_OUT = (0xC0, 0xC1, *range(0xF1, 0x100))


def evidence_of(
    backend: Any, extra_rows: int = 0, same: Sequence[Sequence[int]] = (), chat: str | None = None, **named: str
) -> TokenEvidence:
    """Evidence with random rows; each of `same` is a set of rows that coincide."""
    wrapped = PreTrainedTokenizerFast(tokenizer_object=backend, **named)
    wrapped.chat_template = chat
    tokenizer = Tokenizer(wrapped, "small")
    d_vocab = max(tokenizer.known_ids) + 1 + extra_rows
    facts = with_tokenizer(VocabFacts("small", d_vocab, 64, None, (), frozenset(), None, (), (), None), tokenizer)
    rows = np.random.default_rng(0).normal(size=(d_vocab, 32)).astype(np.float32)
    for members in same:
        rows[list(members)] = rows[members[0]]
    return TokenEvidence(facts, tokenizer, lambda: rows)


def test_bytes_come_first_where_the_model_can_tell_eight_apart() -> None:
    choice = choose_unused(evidence_of(byte_level(), extra_rows=20))
    assert choice is not None
    assert (choice.rules, len(choice.ids), choice.n_distinct) == ((UnusedRule.BYTE_UNUSED,), 13, 13)


def test_bytes_whose_rows_coincide_give_way_to_rows_without_a_token() -> None:
    ids = resolve_pools({"b": "byte_unused"}, evidence_of(byte_level()).facts, 0)["b"].ids
    choice = choose_unused(evidence_of(byte_level(), extra_rows=20, same=[ids]))
    assert choice is not None
    assert (choice.rules, choice.n_distinct) == ((UnusedRule.NO_TOKEN,), 20)


def test_the_union_in_order_where_no_rule_is_enough_by_itself() -> None:
    ids = resolve_pools({"b": "byte_unused"}, evidence_of(byte_level()).facts, 0)["b"].ids
    choice = choose_unused(evidence_of(byte_level(), extra_rows=7, same=[ids]))
    assert choice is not None
    # One observation of 13 bytes, and seven rows.
    assert choice.rules == (UnusedRule.BYTE_UNUSED, UnusedRule.NO_TOKEN)
    assert (len(choice.ids), choice.n_distinct) == (20, 8)


def test_a_partial_alphabet_gives_the_bytes_it_has() -> None:
    evidence = evidence_of(byte_level(left_out=(0xC0, *range(0xF6, 0x100))))
    found = unused_by(UnusedRule.BYTE_UNUSED, evidence)
    assert found is not None
    assert [evidence.tokenizer.token_text(i) for i in found.ids] == ["\\xc1", "\\xf5"]  # type: ignore[union-attr]


def test_special_tokens_that_nothing_uses() -> None:
    special = ("<|endoftext|>", "<|im_start|>", "<repo>", "<file>", *(f"<thing{n}>" for n in range(7)))
    evidence = evidence_of(
        byte_level(special, FIRST_BYTE_LEFT_OUT), chat="{{ '<|im_start|>' + messages }}", bos_token="<|endoftext|>"
    )
    choice = choose_unused(evidence)
    assert choice is not None
    assert choice.rules == (UnusedRule.UNUSED_SPECIAL,)
    assert choice.ids == tuple(range(2, 11))
    pool = resolve_pools({"unused": "auto"}, evidence.facts, 0, evidence.tokenizer, evidence.read_rows)["unused"]
    assert pool.ids == pool.special_ids == choice.ids
    assert (pool.rule, pool.n_distinct) == ("unused_special", 9)
    assert any("9 of 9 ids are special tokens" in note for note in pool.notes)
    assert any("mean cosine" in note for note in pool.notes)


def test_reserved_names_of_a_wordpiece() -> None:
    evidence = evidence_of(wordpiece(tuple(f"[unused{n}]" for n in range(9))), unk_token="[UNK]")
    choice = choose_unused(evidence)
    assert choice is not None
    assert choice.rules == (UnusedRule.RESERVED_NAMES,)
    assert len(choice.ids) == 9


def test_tokens_the_tokenizer_never_produces() -> None:
    # Merges can't reach them: no rule leads to "xyz0".
    backend = byte_level(left_out=FIRST_BYTE_LEFT_OUT)
    content = json.loads(backend.to_str())
    start = len(content["model"]["vocab"])
    content["model"]["vocab"] |= {f"xyz{n}": start + n for n in range(8)}
    backend = type(backend).from_str(json.dumps(content))
    choice = choose_unused(evidence_of(backend))
    assert choice is not None
    assert choice.rules == (UnusedRule.UNREACHABLE,)
    assert choice.ids == tuple(range(start, start + 8))


def test_the_largest_set_of_rows_and_the_ring_around_it() -> None:
    evidence = evidence_of(
        byte_level(left_out=FIRST_BYTE_LEFT_OUT), same=[(20, 30, 40), (50, 60)], bos_token="<|endoftext|>"
    )
    rows = evidence.rows
    assert rows is not None
    rng = np.random.default_rng(3)
    for number, token in enumerate((70, 71, 72, 73, 74, 75, 76, 77, 78)):
        rows[token] = rows[20] + (0.2 + 0.02 * number) * rng.normal(size=32)
    choice = choose_unused(evidence)
    assert choice is not None
    assert choice.rules == (UnusedRule.COINCIDING_ROWS,)
    assert choice.n_distinct == 8
    assert {20, 30, 40} < set(choice.ids) <= {20, 30, 40, *range(70, 79)}
    assert "3 within a cosine distance of 0.01, and the 7 nearest" in choice.words


def test_a_token_with_a_role_is_in_use_however_its_row_lies() -> None:
    base = evidence_of(byte_level(left_out=FIRST_BYTE_LEFT_OUT), bos_token="<|endoftext|>")
    bos = base.facts.bos_id
    assert bos is not None
    alone, beside = ((20, bos), (20, 30, 40, bos))
    for same, found in ((alone, set()), (beside, {20, 30, 40})):
        evidence = evidence_of(byte_level(left_out=FIRST_BYTE_LEFT_OUT), same=[same], bos_token="<|endoftext|>")
        choice = unused_by(UnusedRule.COINCIDING_ROWS, evidence)
        assert (set() if choice is None else set(choice.ids) & set(same)) == found


@pytest.mark.parametrize(
    ("backend", "named"),
    [
        (
            wordpiece(),
            dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), BERT_SPECIAL, strict=True)),
        ),
        (unigram(), {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}),
    ],
    ids=["wordpiece", "unigram"],
)
def test_where_no_rule_finds_any_a_stand_in_is_taken_and_said_to_be_one(backend: Any, named: dict[str, str]) -> None:
    evidence = evidence_of(backend, **named)
    assert all(unused_by(rule, evidence) is None for rule in UnusedRule)
    pools = resolve_pools(
        {"unused": "auto", "common": "auto"}, evidence.facts, 0, evidence.tokenizer, evidence.read_rows
    )
    assert len(pools["unused"].ids) == 8
    assert pools["unused"].is_proxy and pools["common"].is_proxy
    assert pools["unused"].together is None
    assert any("a stand-in: no rule finds" in note for note in pools["unused"].notes)


def test_without_tokenizer_and_weights_there_is_no_answer() -> None:
    facts = VocabFacts("bare", 50, None, None, (), frozenset(), None, (), (), None)
    assert choose_unused(TokenEvidence(facts)) is None
    with pytest.raises(Rejected, match="and it has no tokenizer"):
        resolve_pools({"unused": "auto"}, facts, 0)
    with pytest.raises(Rejected, match="without a tokenizer nothing tells which tokens are common"):
        resolve_pools({"common": "auto"}, facts, 0)
    with pytest.raises(Rejected, match="there is no tokenizer to ask"):
        resolve_pools({"some": "unreachable"}, facts, 0)
    with pytest.raises(Rejected, match="there are no weights to look at"):
        resolve_pools({"some": "coinciding_rows"}, facts, 0)


def test_counts_are_never_looked_at() -> None:
    evidence = evidence_of(byte_level())

    class Forbidden:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"exposures.{name} was looked at")

    object.__setattr__(evidence.facts, "exposures", Forbidden())
    assert choose_unused(evidence) is not None


def test_common_tokens_of_every_kind_of_tokenizer() -> None:
    for backend, rule, first in (
        (unigram(), "high_scores", "▁the"), (wordpiece(), "low_ids", "a"), (byte_level(), "early_merges", "th"),
    ):  # fmt: skip
        evidence = evidence_of(backend)
        pool = resolve_pools({"common": "auto"}, evidence.facts, 0, evidence.tokenizer)["common"]
        assert (pool.rule, pool.is_proxy) == (rule, True)
        names = [evidence.tokenizer.token_name(i) for i in pool.ids]  # type: ignore[union-attr]
        assert first in names
        assert not set(pool.ids) & evidence.facts.special_ids
    names = [evidence_of(unigram()).vocabulary.token_name(i) for i in range(60)]  # type: ignore[union-attr]
    assert names[4] == "▁the"


def test_the_tightest_group() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
    rows[[5, 50, 150]] = rows[5] + 0.01 * np.random.default_rng(1).normal(size=(3, 16))
    ids, distance = closest_rows(CentredRows.of(rows), range(200), 3)
    assert ids == (5, 50, 150)
    assert 0 < distance < 0.01
    assert closest_rows(CentredRows.of(rows), [7, 9], 8)[0] == (7, 9)


def test_lists_and_slices_hold_special_tokens_and_mark_them() -> None:
    evidence = evidence_of(byte_level(("<|endoftext|>", "<a>")))
    pool = resolve_pools({"one": (1, 9)}, evidence.facts, 0)["one"]
    assert (pool.ids, pool.special_ids, pool.rule) == ((1, 9), (1,), "listed")
    assert pool.notes == ("pools.one: 1 of 2 ids are special tokens (1)",)
    assert resolve_pools({"two": "0:3"}, evidence.facts, 0)["two"].special_ids == (0, 1)
    assert not set(resolve_pools({"rest": "all"}, evidence.facts, 0)["rest"].ids) & {0, 1}
