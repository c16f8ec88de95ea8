"""A library's error in one line, also where it says nothing itself."""

import pytest

from harness.errors import Rejected, span
from harness.models._loading import error_text
from harness.models.config import ModelConfig
from harness.models.config_file import ConfigFile
from harness.models.facts import _window


def fail_silently(n_heads: int) -> None:
    assert n_heads % 2 == 0


def test_an_error_with_words_is_quoted() -> None:
    assert error_text(ValueError("heads\n  do not   divide")) == "ValueError: heads do not divide"
    assert len(error_text(ValueError("x" * 900))) < 330


def test_an_error_without_words_names_the_line_that_raised_it() -> None:
    try:
        fail_silently(3)
    except AssertionError as error:
        error.args = ()
        found = error_text(error)
    assert found.startswith("AssertionError in test_error_text.py, line ")
    assert "assert n_heads % 2 == 0" in found
    assert error_text(KeyError()) == "KeyError"


def test_a_window_of_one_token_is_named_and_not_a_range_from_two_to_one() -> None:
    file = ConfigFile(d_vocab=64, n_ctx=1, bos_id=None, special_ids=frozenset())
    with pytest.raises(Rejected, match=r"model\.n_ctx: got 2, allowed: null: tiny has a window of 1 token"):
        _window(file, ModelConfig(name="tiny", n_ctx=2))


def test_a_range_with_nothing_in_it_is_said_in_words() -> None:
    assert [span(2, 5), span(2, 2), span(2, -1)] == ["2 to 5", "2", "no value"]
