"""Token strings made visible."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tokens.text import shown

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the", "the"),
        (" the", "␣the"),
        ("  a b ", "␣␣a b␣"),
        ("   ", "␣␣␣"),
        ("", "(empty)"),
        ("\n\t", "⏎⇥"),
        ("\r\x00\x1b[31m", "\\u000d\\u0000\\u001b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("\u200d\ufeff\xa0", "\\u200d\\ufeff\\u00a0"),
        ("\udcf5", "\\xf5"),
        ("\ud800", "\\ud800"),
        ("�", "�"),
        ("\\xf5", "\\xf5"),
        ("\u0301", "◌\u0301"),
        ("</script>", "</script>"),
        ("\U000e0001", "\\U000e0001"),
        ("é日", "é日"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_long_ones_keep_both_ends() -> None:
    assert shown("a" * 30 + "b" * 30, limit=11) == "aaaaa…bbbbb"
    assert len(shown("-" * 500)) == 40


@given(st.text(alphabet=st.characters(), max_size=60), st.integers(3, 50))
def test_always_visible_and_writable(text: str, limit: int) -> None:
    result = shown(text, limit)
    assert 0 < len(result) <= max(limit, len("(empty)"))
    result.encode("utf-8")
    assert result == result.strip()
    assert not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for character in result
    )
