"""What text pays, counted by hand."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from harness.tokens.removal.longer import Longer
from harness.tokens.removal.removal import remove_tokens
from harness.tokens.removal.resegmentation import count_text, resegmentation

pytestmark = pytest.mark.unit


def definition() -> str:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("c", "a"), ("ca", "t")]
    names = [*alphabet, *(left + right for left, right in pairs)]
    backend = Backend(models.BPE({name: i for i, name in enumerate(names)}, pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return backend.to_str()


def ids(*names: str) -> list[int]:
    vocabulary = json.loads(definition())["model"]["vocab"]
    return [vocabulary[name] for name in names]


def test_counts_of_two_documents():
    removal = remove_tokens(definition(), ids("the"), Longer.LOSE)
    assert removal.newly_unreachable == tuple(ids("Ġthe"))
    # the| the| cat: the, Ġthe, Ġ, cat; afterwards th, e, Ġ, th, e, Ġ, cat.
    counts = count_text(definition(), removal, ["the the cat", "é"])
    assert counts.words.tolist() == [3, 1]
    assert counts.n_bytes.tolist() == [11, 2]
    assert counts.tokens_before.tolist() == [4, 2]
    assert counts.tokens_after.tolist() == [7, 2]
    assert counts.words_changed.tolist() == [2, 0]
    assert counts.removed.tolist() == [1, 0]
    assert counts.unreachable.tolist() == [1, 0]
    cost = resegmentation(counts, seed=0)
    assert cost.tokens_per_word.mean == 6 / 4
    assert cost.tokens_per_word_change.mean == 3 / 6
    assert cost.words_changed.mean == 2 / 4
    assert (cost.bytes_per_token.mean, cost.bytes_per_token_after.mean) == (13 / 6, 13 / 9)
    assert (cost.removed.mean, cost.unreachable.mean) == (1 / 6, 1 / 6)
    assert cost.words_changed.n == 2 and cost.words_changed.low is not None


def test_a_tokenizer_that_stays_costs_nothing():
    counts = count_text(definition(), remove_tokens(definition(), []), ["the cat sat", "a"])
    assert np.array_equal(counts.tokens_before, counts.tokens_after) and not counts.words_changed.any()
    cost = resegmentation(counts, seed=0)
    assert cost.tokens_per_word_change.mean == 0
    # Nothing seen in two documents is no proof of nothing.
    assert cost.words_changed.high is not None and cost.words_changed.high > 0.3


def test_words_that_differ_in_white_space_before_them_alone_are_changed_words_too():
    removal = remove_tokens(definition(), ids("Ġthe"), Longer.LOSE)
    counts = count_text(definition(), removal, ["a the  the"])
    # a, Ġthe, Ġ, Ġthe; afterwards a, Ġ, the, Ġ, Ġ, the.
    assert (counts.tokens_before.tolist(), counts.tokens_after.tolist()) == ([4], [6])
    assert counts.words_changed.tolist() == [2]


def test_documents_without_words_are_refused():
    with pytest.raises(ValueError, match="ratio to 0"):
        resegmentation(count_text(definition(), remove_tokens(definition(), []), ["", ""]), seed=0)
