"""Tokens taken out of hand-made tokenizers, every answer worked out by hand."""

import json
from typing import Any

import pytest
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from harness.errors import Rejected
from harness.tokens.removal.longer import Longer
from harness.tokens.removal.removal import Removal, remove_tokens
from tests.helpers.small_tokenizers import unigram, wordpiece

pytestmark = pytest.mark.unit

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def bpe(characters: str, merges: list[tuple[str, str]], byte_fallback: bool = False, **options: Any) -> Backend:
    """Characters, then one id for each new result of a merge; words are cut at spaces, which stay with what follows."""
    names = [*(BYTES if byte_fallback else []), *characters]
    names += [name for name in dict.fromkeys(left + right for left, right in merges) if name not in names]
    vocabulary = {name: i for i, name in enumerate(names)}
    backend = Backend(models.BPE(vocabulary, merges, byte_fallback=byte_fallback, fuse_unk=True, **options))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="never")])
    return backend


def ids_of(backend: Backend, *names: str) -> list[int]:
    found = [backend.token_to_id(name) for name in names]
    assert None not in found
    return found


def without(backend: Backend, *names: str, longer: Longer = Longer.REROUTE) -> tuple[Removal, Backend]:
    removal = remove_tokens(backend.to_str(), ids_of(backend, *names), longer)
    return removal, Backend.from_str(removal.definition)


def tokens(backend: Backend, text: str) -> list[str]:
    return list(backend.encode(text, add_special_tokens=False).tokens)


def test_every_merge_that_ends_in_a_token_goes():
    # "abc" is merged from ab + c, and from a + bc where "bc" comes first.
    backend = bpe("abcx", [("b", "c"), ("a", "bc"), ("a", "b"), ("ab", "c")])
    assert tokens(backend, "xabc") == ["x", "abc"]
    removal, after = without(backend, "abc")
    assert removal.removed_merges == (("a", "bc"), ("ab", "c"))
    assert tokens(after, "xabc") == ["x", "a", "bc"]
    assert removal.pieces == {backend.token_to_id("abc"): tuple(ids_of(backend, "a", "bc"))}
    assert removal.removed == (backend.token_to_id("abc"),)
    assert (removal.renamed, removal.newly_unreachable, removal.added_merges) == ({}, (), ())


def test_one_merge_left_behind_is_seen():
    backend = bpe("abcx", [("b", "c"), ("a", "bc"), ("a", "b"), ("ab", "c")])
    removal, _ = without(backend, "abc")
    # The defect: only the first of the two merges goes.
    raw = json.loads(removal.definition)
    raw["model"]["merges"] = [["b", "c"], ["a", "b"], ["ab", "c"]]
    # As long as "bc" is merged first the other path lies idle; without it the token is back.
    assert tokens(Backend.from_str(json.dumps(raw)), "abc") == ["a", "bc"]
    raw["model"]["merges"] = [["a", "b"], ["ab", "c"]]
    assert tokens(Backend.from_str(json.dumps(raw)), "abc") == ["abc"]


def test_ids_and_names_stay():
    backend = bpe("abc", [("a", "b"), ("ab", "c")])
    _, after = without(backend, "ab")
    assert after.get_vocab() == backend.get_vocab()
    assert after.decode(ids_of(backend, "ab")) == "ab"


def test_a_longer_token_is_merged_of_two_others_where_its_text_falls_into_two():
    # Without "ab", "abcd" falls into a + bcd; "abc" into a + bc, at which its own new merge is put.
    backend = bpe("abcd", [("a", "b"), ("ab", "c"), ("abc", "d"), ("b", "c")])
    removal, after = without(backend, "ab")
    assert removal.added_merges == (("a", "bc"),)
    assert tokens(after, "abc") == ["abc"]
    # Its old way from "abc" is there still.
    assert tokens(after, "abcd") == ["abcd"]
    assert removal.newly_unreachable == ()


def test_a_longer_token_without_another_way_is_reported():
    backend = bpe("abcd", [("a", "b"), ("ab", "c"), ("abc", "d")])
    for longer in (Longer.REROUTE, Longer.LOSE):
        removal, after = without(backend, "ab", longer=longer)
        assert removal.newly_unreachable == tuple(ids_of(backend, "abc", "abcd"))
        assert tokens(after, "abcd") == ["a", "b", "c", "d"]


def test_merges_alone_may_be_taken_away():
    backend = bpe("abc", [("a", "b"), ("ab", "c"), ("b", "c")])
    removal, after = without(backend, "ab", longer=Longer.LOSE)
    assert removal.added_merges == ()
    assert removal.newly_unreachable == tuple(ids_of(backend, "abc"))
    assert tokens(after, "abc") == ["a", "bc"]


def test_a_token_that_others_need_can_be_kept():
    backend = bpe("abcdxy", [("a", "b"), ("ab", "c"), ("abc", "d"), ("x", "y")])
    removal, after = without(backend, "ab", "xy", longer=Longer.KEEP)
    (needed,) = ids_of(backend, "ab")
    assert removal.refused == {needed: "tokens that are merged from it and have no other way: 2"}
    assert removal.removed == tuple(ids_of(backend, "xy"))
    assert tokens(after, "abcdxy") == ["abcd", "x", "y"]


def test_a_token_is_not_kept_for_one_that_goes_as_well():
    backend = bpe("abc", [("a", "b"), ("ab", "c")])
    removal, after = without(backend, "ab", "abc", longer=Longer.KEEP)
    assert removal.refused == {} and removal.newly_unreachable == ()
    assert tokens(after, "abc") == ["a", "b", "c"]


def test_a_token_that_no_text_led_to_stays_unreachable():
    # "ca" has a merge, but "ab" comes first; without "ab" the text "cab" would be ca + b, "caa" is ca + a anyhow.
    backend = bpe("abc", [("a", "b"), ("c", "ab"), ("b", "c"), ("ab", "c"), ("a", "bc")])
    # "abc" comes from ab + c; a + bc lies idle.
    removal, after = without(backend, "ab", longer=Longer.LOSE)
    assert tokens(after, "abc") == ["abc"]
    assert removal.newly_unreachable == tuple(ids_of(backend, "cab"))
    hidden = bpe("abcd", [("a", "b"), ("c", "d"), ("b", "c"), ("bc", "d")])
    # "bcd" is never made: "cd" goes first.
    assert tokens(hidden, "bcd") == ["b", "cd"]
    removal, after = without(hidden, "cd")
    assert removal.also_removed == tuple(ids_of(hidden, "bcd"))
    assert tokens(after, "bcd") == ["bc", "d"]


def test_whole_words_in_the_vocabulary_are_reached_without_merges():
    backend = bpe("abcx", [("a", "b"), ("ab", "c")], ignore_merges=True)
    (i,) = ids_of(backend, "abc")
    removal, after = without(backend, "abc")
    assert removal.renamed == {i: f"<removed {i}>"}
    assert tokens(after, "abc") == ["ab", "c"]
    assert i not in after.encode(f"<removed {i}> abc").ids
    # The defect: merges go and the entry stays.
    raw = json.loads(backend.to_str())
    raw["model"]["merges"] = [["a", "b"]]
    assert tokens(Backend.from_str(json.dumps(raw)), "abc") == ["abc"]


def test_a_longer_token_that_is_a_whole_word_is_reached_still():
    backend = bpe("abcx", [("a", "b"), ("ab", "c")], ignore_merges=True)
    removal, after = without(backend, "ab")
    assert removal.newly_unreachable == ()
    assert tokens(after, "abc") == ["abc"]
    # Inside a longer word it is not.
    assert tokens(after, "abcx") == ["a", "b", "c", "x"]


def test_a_single_character_falls_back_on_its_bytes():
    backend = bpe("aé", [("a", "é")], byte_fallback=True)
    removal, after = without(backend, "é")
    (i,) = ids_of(backend, "é")
    assert removal.renamed == {i: f"<removed {i}>"}
    assert tokens(after, "aé") == ["a", "<0xC3>", "<0xA9>"]
    assert after.decode(after.encode("aé").ids) == "aé"
    assert removal.newly_unreachable == tuple(ids_of(backend, "aé"))
    assert removal.pieces == {i: (0xC3, 0xA9), backend.token_to_id("aé"): (backend.token_to_id("a"), 0xC3, 0xA9)}
    assert removal.removed_merges == (("a", "é"),)


def test_what_nothing_else_can_write_is_refused_by_name():
    with_bytes = bpe("ab", [("a", "b")], byte_fallback=True)
    removal, after = without(with_bytes, "<0x41>", "ab")
    assert removal.refused == {0x41: "a single byte, without which some text could not be written"}
    assert tokens(after, "abA") == ["a", "b", "<0x41>"]
    removal, _ = without(bpe("ab", [("a", "b")]), "a")
    assert removal.refused == {0: "a single character, and there are no bytes that could stand in for it"}
    assert (removal.removed, removal.removed_merges) == ((), ())
    byte_level = Backend(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    removal = remove_tokens(byte_level.to_str(), [0, 9], protected=[2])
    assert removal.refused == {0: "a single byte, without which some text could not be written",
                               9: "there is no token with this id"}  # fmt: skip
    assert "special" in remove_tokens(byte_level.to_str(), [2], protected=[2]).refused[2]


def test_marks_of_a_words_middle_and_end_are_seen():
    names = ["a", "##b", "##c", "##bc", "abc", "ab"]
    merges = [("##b", "##c"), ("a", "##bc"), ("a", "##b"), ("ab", "##c")]
    backend = Backend(models.BPE({n: i for i, n in enumerate(names)}, merges, continuing_subword_prefix="##"))
    removal, after = without(backend, "abc")
    assert len(removal.removed_merges) == 2
    assert tokens(after, "abc") == ["a", "##bc"]
    ends = Backend(models.BPE(
        {n: i for i, n in enumerate(["a", "b", "b</w>", "ab</w>", "aab</w>"])},
        [("a", "b</w>"), ("a", "ab</w>")], end_of_word_suffix="</w>",
    ))  # fmt: skip
    removal, after = without(ends, "ab</w>")
    assert tokens(after, "aab") == ["a", "a", "b</w>"]
    assert removal.newly_unreachable == tuple(ids_of(ends, "aab</w>"))


def test_an_added_token_leaves_the_list_and_the_others_keep_their_ids():
    backend = bpe("ab", [("a", "b")])
    backend.add_tokens([AddedToken(name, normalized=False) for name in ("<x>", "<y>", "ab")])
    backend.add_special_tokens(["<end>"])
    before = backend.get_vocab()
    x, y, end = ids_of(backend, "<x>", "<y>", "<end>")
    removal = remove_tokens(backend.to_str(), [x, end, before["ab"]])
    after = Backend.from_str(removal.definition)
    assert removal.refused == {end: "a special token, which prompts and templates place by its id"}
    assert removal.left_added == (before["ab"], x)
    assert removal.renamed == {x: f"<removed {x}>"}
    assert removal.pieces[before["ab"]] == (before["a"], before["b"])
    assert ids_of(after, "<y>", "<end>", "ab") == [y, end, before["ab"]]
    assert after.encode("ab<y><end>").tokens == ["a", "b", "<y>", "<end>"]
    assert x not in after.encode(f"<x> <removed {x}>").ids


def test_a_unigram_piece_gives_way_to_its_parts():
    backend = unigram()
    removal, after = without(backend, "▁the")
    assert tokens(after, "the cat") == ["▁", "the", "▁cat"]
    assert after.decode(after.encode("the cat", add_special_tokens=False).ids) == "the cat"
    (i,) = ids_of(backend, "▁the")
    assert i not in after.encode(removal.renamed[i]).ids
    assert removal.pieces == {i: tuple(ids_of(backend, "▁", "the"))}
    # What an unknown character costs is the same: the lowest score of all.
    scores = [score for _, score in json.loads(removal.definition)["model"]["vocab"]]
    assert scores == [score for _, score in json.loads(backend.to_str())["model"]["vocab"]]
    removal, _ = without(backend, "e")
    assert "single character" in next(iter(removal.refused.values()))


def test_a_unigram_piece_that_alone_holds_a_character_is_refused():
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("a", -2.0), ("aé", -3.0)]
    backend = Backend(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    removal, after = without(backend, "aé")
    assert removal.refused == {3: "its text could not be written without it"}
    assert after.to_str() == backend.to_str()


def test_a_unigram_piece_kept_from_being_taken_by_a_likelier_one_stays_so():
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("a", -3.0), ("b", -3.0), ("ab", -2.0), ("▁ab", -5.0)]
    backend = Backend(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    assert tokens(backend, "ab") == ["▁", "ab"]
    removal, after = without(backend, "ab")
    # ▁ + a + b costs 7, ▁ab 5: it would be taken now.
    assert removal.also_removed == (5,)
    assert tokens(after, "ab") == ["▁", "a", "b"]


def test_a_wordpiece_gives_way_to_the_next_longest():
    backend = wordpiece(("catsat", "c\u00e9t"))
    removal, after = without(backend, "catsat", "##ing")
    assert tokens(after, "catsat ing xing") == ["cat", "##s", "##a", "##t", "i", "##n", "##g", "x", "##i", "##n", "##g"]
    assert removal.newly_unreachable == () and len(removal.renamed) == 2
    whole, inner = ids_of(backend, "catsat", "##ing")
    assert removal.pieces == {whole: tuple(ids_of(backend, "cat", "##s", "##a", "##t")),
                              inner: tuple(ids_of(backend, "##i", "##n", "##g"))}  # fmt: skip
    assert not {*removal.renamed} & {*after.encode(" ".join(removal.renamed.values())).ids}
    removal, _ = without(backend, "##e", "c\u00e9t")
    assert sorted(removal.refused.values()) == [
        "a single character, and nothing could stand in for it",
        "its words could not be written without it: there is no piece '##\u00e9'",
    ]


@pytest.mark.parametrize(
    ("definition", "named"), [(None, "without a tokenizer.json"), ('{"model": {"type": "WordLevel"}}', "'WordLevel'"),
                              ("{", "no JSON"), ("[]", "None")]
)  # fmt: skip
def test_other_tokenizers_are_refused_in_one_line(definition: str | None, named: str) -> None:
    with pytest.raises(Rejected, match=named) as refused:
        remove_tokens(definition, [0])
    assert "\n" not in str(refused.value) and "allowed" in str(refused.value)
