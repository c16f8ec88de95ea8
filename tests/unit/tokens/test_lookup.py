from typing import ClassVar

import pytest

from harness.errors import Rejected
from harness.tokens.lookup import find_token, note_of_form

pytestmark = pytest.mark.unit


class Letters:
    """One id for each letter from a on."""

    def encode(self, text):
        return [ord(letter) - ord("a") for letter in text]

    def decode(self, ids):
        return "".join(chr(i + ord("a")) for i in ids)


def test_by_id_and_by_text():
    assert find_token(7, 26, Letters()) == 7
    assert find_token("c", 26, Letters()) == 2


@pytest.mark.parametrize("value", [26, -1, "ab", ""])
def test_what_is_no_token_is_refused(value):
    with pytest.raises(Rejected, match=r"^token: got"):
        find_token(value, 26, Letters())


def test_a_text_needs_a_tokenizer():
    with pytest.raises(Rejected, match="no tokenizer"):
        find_token("a", 26, None)


class Spaced(Letters):
    """Puts a space before every text: id 40 is `on`, 41 is ` on`, which is what "on" encodes to; `x` is two tokens."""

    names: ClassVar = {40: "on", 41: " on", 42: "x", 43: "x"}

    def encode(self, text):
        return {"on": [41], " on": [41], "x": [1, 2]}.get(text, [0, 0])

    def decode(self, ids):
        return "".join(self.names.get(i, "?") for i in ids)

    def ids_of_text(self, text):
        return tuple(i for i, name in self.names.items() if name == text)


def test_the_exact_text_of_a_token_comes_before_what_it_encodes_to(caplog):
    with caplog.at_level("INFO"):
        assert find_token("on", 50, Spaced()) == 40
    assert "token 'on' is taken to be id 40, its exact text; also there: 41 ␣on" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        assert find_token(" on", 50, Spaced()) == 41
    assert not caplog.text
    # No text leads to it, and it is one token all the same.
    assert find_token("x", 50, Spaced()) == 42
    # A token beyond the embedding is none.
    assert find_token("on", 40, Spaced()) == 41


def test_where_a_text_is_there_with_and_without_a_space_the_note_names_both():
    taken = "Taken is the token on (id 40); ␣on (id 41) is another one (a space before the text is part of it)."
    assert note_of_form("on", 40, Spaced()) == taken
    assert note_of_form(" on", 41, Spaced()).startswith("Taken is the token ␣on (id 41); on (id 40)")
    # An id leaves nothing open, and `x` has no other form.
    assert note_of_form(40, 40, Spaced()) is None and note_of_form("x", 42, Spaced()) is None
    assert note_of_form("a", 0, Letters()) is None
