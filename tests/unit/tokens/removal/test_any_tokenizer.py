"""What holds for any merges and any text, and is looked for through every text of a small alphabet."""

import json
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from harness.tokens.removal._merging import Merge, Merging
from harness.tokens.removal.longer import Longer
from harness.tokens.removal.removal import remove_tokens

pytestmark = pytest.mark.unit

LETTERS = "abc"
TEXTS = ["".join(letters) for n in range(1, 8) for letters in product(LETTERS, repeat=n)]


@st.composite
def merges(draw: st.DrawFn) -> list[Merge]:
    """Up to eight merges of letters and of what was merged before; several may end in one token."""
    names, found = list(LETTERS), []
    for _ in range(draw(st.integers(1, 8))):
        pair = (draw(st.sampled_from(names)), draw(st.sampled_from(names)))
        if pair in found or len(pair[0] + pair[1]) > 5:
            continue
        # Learnt merges stand in the order in which their parts are; a file's need not.
        found.insert(draw(st.integers(0, len(found))), pair)
        names.append(pair[0] + pair[1])
    return found or [("a", "b")]


def backend_of(pairs: list[Merge]) -> Backend:
    names = list(dict.fromkeys([*LETTERS, *(left + right for left, right in pairs)]))
    backend = Backend(models.BPE({name: i for i, name in enumerate(names)}, pairs))
    backend.decoder = decoders.Fuse()
    return backend


def reached(backend: Backend) -> set[int]:
    """Ids in any text of up to seven letters."""
    return {i for row in backend.encode_batch_fast(TEXTS) for i in row.ids}


@settings(max_examples=60, deadline=None)
@given(merges(), st.text(LETTERS, min_size=1, max_size=12))
def test_merging_by_hand_is_the_librarys(pairs: list[Merge], text: str) -> None:
    backend = backend_of(pairs)
    assert list(Merging({}, pairs).make(text).parts) == backend.encode(text).tokens


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(merges(), st.data(), st.sampled_from(Longer))
def test_every_short_text_agrees_with_what_is_said(pairs: list[Merge], data: st.DataObject, longer: Longer) -> None:
    before = backend_of(pairs)
    made = st.sampled_from(range(len(LETTERS), before.get_vocab_size()))
    ids = data.draw(st.sets(made, min_size=1))
    removal = remove_tokens(before.to_str(), ids, longer)
    after = Backend.from_str(removal.definition)
    were, are = reached(before), reached(after)
    assert not are & {*removal.removed, *removal.also_removed}
    assert were - are - set(removal.removed) == set(removal.newly_unreachable)
    # Nothing untrained comes to light.
    assert are <= were
    assert after.get_vocab() == before.get_vocab()
    assert set(removal.removed) | set(removal.refused) == ids
    for text, row in zip(TEXTS, after.encode_batch_fast(TEXTS), strict=True):
        assert after.decode(row.ids) == text
    for i, pieces in removal.pieces.items():
        assert after.encode(before.decode([i])).ids == list(pieces)
    if longer is Longer.KEEP:
        assert removal.newly_unreachable == ()


@settings(max_examples=60, deadline=None)
@given(merges(), st.data())
def test_another_way_is_given_to_some_and_never_taken_from_any(pairs: list[Merge], data: st.DataObject) -> None:
    before = backend_of(pairs).to_str()
    ids = data.draw(
        st.sets(st.sampled_from(range(len(LETTERS), len(json.loads(before)["model"]["vocab"]))), min_size=1)
    )
    rerouted, lost = (remove_tokens(before, ids, longer) for longer in (Longer.REROUTE, Longer.LOSE))
    assert set(rerouted.newly_unreachable) <= set(lost.newly_unreachable)


def byte_level() -> Backend:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ã", "©"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), ("h", "e"), ("Ġ", "t")]
    names = list(dict.fromkeys([*alphabet, *(left + right for left, right in pairs)]))
    backend = Backend(models.BPE({name: i for i, name in enumerate(names)}, pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return backend


def with_byte_fallback() -> Backend:
    pieces = [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    pieces += [("▁", -3.0), ("t", -5.0), ("é", -6.0), ("the", -4.0), ("▁the", -3.0), ("日本", -5.0), ("<", -9.0)]
    backend = Backend(models.Unigram([("<unk>", -30.0), *pieces], unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="never")])
    return backend


KINDS = {"byte_level": byte_level(), "with_byte_fallback": with_byte_fallback()}
WORDS = st.sampled_from(["the", " the", "é", "日本", "\n", "<removed 257>", "    ", "t", "he", "<", "\u00ad", "👩‍🔬"])
ANY_TEXT = st.lists(st.one_of(WORDS, st.text(max_size=4)), max_size=8).map("".join)


@pytest.mark.parametrize("kind", list(KINDS))
@settings(max_examples=100, deadline=None)
@given(text=ANY_TEXT, data=st.data())
def test_any_text_comes_back_and_holds_no_removed_token(kind: str, text: str, data: st.DataObject) -> None:
    before = KINDS[kind]
    ids = data.draw(st.sets(st.integers(0, before.get_vocab_size()), max_size=12))
    removal = remove_tokens(before.to_str(), ids)
    after = Backend.from_str(removal.definition)
    row = after.encode(text, add_special_tokens=False).ids
    old = before.decode(before.encode(text, add_special_tokens=False).ids)
    # SentencePiece's mark for a space is a space when it comes back.
    assert after.decode(row) == old and old.replace(" ", "▁") == text.replace(" ", "▁")
    assert not set(row) & {*removal.removed, *removal.also_removed}
