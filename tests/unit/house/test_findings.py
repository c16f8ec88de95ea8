"""Every number in docs/findings.md is what its file of results says."""

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
CITED = re.compile(
    r"(?P<mean>-?[\d,.]*\d)(?: \[(?P<low>[^,\]]+), (?P<high>[^\]]+)\])?<!-- (?P<file>\S+) (?P<key>\S+) -->"
)
SETTINGS = ("95 %", "0.5 %", "17 to 64")
"""Numbers that are no results: the intervals' level, an aim, a range of counts."""


def cited() -> list[re.Match[str]]:
    return list(CITED.finditer(PAGE))


def shown(value: float, like: str) -> str:
    digits = len(like.partition(".")[2])
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


@pytest.mark.parametrize("match", cited(), ids=lambda match: f"{match['file']}:{match['key']}")
def test_a_number_is_what_its_file_says(match: re.Match[str]) -> None:
    metrics = json.loads((ROOT / "results" / "reference" / match["file"] / "metrics.json").read_text(encoding="utf-8"))
    assert match["mean"] == shown(metrics[match["key"]], match["mean"])
    for end in ("low", "high"):
        if match[end]:
            assert match[end] == shown(metrics[f"{match['key']}/ci_{end}"], match[end])


def test_no_number_is_without_a_source_and_the_page_is_short() -> None:
    rest = CITED.sub("", PAGE)
    assert "<!--" not in rest
    for words in SETTINGS:
        rest = rest.replace(words, "")
    assert not re.findall(r"(?<![A-Za-z\d-])\d[\d.,]*", rest)
    assert len(CITED.sub(lambda match: match[0].partition("<!--")[0], PAGE).split()) < 600
