import pytest

from harness.errors import Rejected
from harness.tokens.lookup import find_token

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
