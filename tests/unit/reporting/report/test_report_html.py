import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from harness.reporting.display import AttentionPanel, ColouredText
from harness.reporting.figures.drawing import draw_run
from harness.reporting.report import attention
from harness.reporting.report.coloured import page_texts
from harness.reporting.report.html import render_report
from harness.runs.folder import RunFolder
from tests.unit.runs.results.stored_runs import FEW_FIGURES as DISPLAY
from tests.unit.runs.results.stored_runs import HOSTILE_TOKENS, SUMMARY, Made, write_run


class _Page(HTMLParser):
    """Tags, attributes and texts of a page, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "script":
            self.scripts.append((self.tags[-1][1], data))
        else:
            self.texts.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = write_run(tmp_path_factory.mktemp("report"), Made(published=True))
    run.manifest["notes"].append("a note with <script>alert(1)</script> and \u202e")
    draw_run(run, DISPLAY, RunFolder(run.folder))
    return render_report(run, DISPLAY, SUMMARY)


def test_page_is_small_enough_for_twelve_heads_at_51_tokens(page: str) -> None:
    parsed = _Page(page)
    panels = [json.loads(text) for attrs, text in parsed.scripts if "data-panel" in attrs]
    assert [(len(panel["attention"]), len(panel["tokens"])) for panel in panels] == [(12, 51), (12, 51)]
    assert len(page.encode()) <= 5_000_000


def test_the_bundle_is_there_once_however_many_panels(page: str) -> None:
    assert page.count("var CircuitsVis=") == 1
    assert page.count("data-panel=") == 2
    assert "sourceMappingURL" not in page


def test_no_token_becomes_markup(page: str) -> None:
    parsed = _Page(page)
    assert not [
        attrs for tag, attrs in parsed.tags if tag == "img" and not str(attrs["src"]).startswith("data:image/png")
    ]
    assert not [attrs for tag, attrs in parsed.tags if any(name.startswith("on") for name in attrs)]
    nonces = {attrs.get("nonce") for tag, attrs in parsed.tags if tag == "script"}
    assert len(nonces) == 1 and None not in nonces
    text = "".join(parsed.texts)
    assert "</script><script>window.pwned=1</script>" in text
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text and "49" not in re.findall(r"\{\{.{0,9}", text)


def test_nothing_invisible_or_broken_is_left(page: str) -> None:
    page.encode("utf-8")
    assert not set(page) & set("\x00\x07\x1b\u202e\u2028\u200b\ufeff\ud83d")
    assert r"\u202eevil\u202c" in page and r"\ud83d" in page


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    parsed = _Page(page)
    for tag, attrs in parsed.tags:
        for name in ("src", "href", "action", "data"):
            assert str(attrs.get(name) or "data:").startswith("data:"), (tag, attrs)
    policy = next(str(attrs["content"]) for tag, attrs in parsed.tags if tag == "meta" and "http-equiv" in attrs)
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy.split("style-src")[0]
    css = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in css and "@import" not in css


def test_headline_notes_published_values_and_facts_are_there(page: str) -> None:
    text = "\n".join(_Page(page).texts)
    for expected in (
        "unused, published", "−17.3 / −19.7", "GPT-2 small, seq_len 25", "tokens were drawn with replacement",
        "pocket-weights", "torch 2.13.0", "exp.seq_len=25", "made up <b>summary</b>",
    ):  # fmt: skip
        assert expected in text, expected


def test_a_run_without_heads_or_figures_still_has_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(heads=False, seq_len=3))
    page = render_report(run, DISPLAY, SUMMARY)
    assert "CircuitsVis=" not in page and "Attention patterns" not in page


def test_a_failed_run_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(heads=False, seq_len=3, status="failed"))
    assert "This run did not end well: ValueError: planted" in render_report(run, DISPLAY, SUMMARY)


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / folder, Made(seq_len=3, n_top=2)) for folder in "ab"]
    assert render_report(runs[0], DISPLAY, SUMMARY) == render_report(runs[1], DISPLAY, SUMMARY)


def _panel(n_heads: int, n: int, token: str = "a") -> AttentionPanel:
    patterns = np.tril(np.random.default_rng(0).random((n_heads, n, n), dtype=np.float32))
    return AttentionPanel("title", (token,) * n, patterns, tuple(f"0.{h}" for h in range(n_heads)))


def test_patterns_are_rounded_after_going_to_float64() -> None:
    (panel,) = attention.page_panels([_panel(2, 5)])
    assert not re.search(r"\d\.\d{4}", panel.data)
    values = json.loads(panel.data)["attention"]
    assert np.allclose(values, _panel(2, 5).patterns, atol=5.1e-4)


@pytest.mark.parametrize("token", HOSTILE_TOKENS)
def test_no_token_leaves_its_script(token: str) -> None:
    (panel,) = attention.page_panels([_panel(1, 2, token)])
    assert panel.data.isascii() and not set(panel.data) & set("<>&")
    json.loads(panel.data)


def test_the_bundle_cannot_end_its_script() -> None:
    source = attention.bundle()
    assert "</script" not in source.lower() and "<!--" not in source
    assert "AttentionHeads" in source


def test_what_does_not_fit_is_left_out_and_said() -> None:
    many = attention.page_panels([_panel(30, 150), _panel(30, 150)])
    assert all("of 30 heads" in panel.note for panel in many)
    assert sum(len(panel.data) for panel in many) < 4_000_000
    (long,) = attention.page_panels([_panel(1, attention.MOST_POSITIONS + 1)])
    assert long.data == "" and "too many" in long.note


def test_not_a_number_in_a_pattern_is_still_json() -> None:
    panel = _panel(1, 3)
    panel.patterns[0, 1, 0] = np.nan
    (page,) = attention.page_panels([panel])
    assert json.loads(page.data)["attention"][0][1][0] is None


def test_a_page_of_panels_alone_escapes_too() -> None:
    hostile = replace(_panel(1, 2, HOSTILE_TOKENS[0]), title="<img src=x onerror=1>")
    page = attention.standalone([hostile, hostile])
    assert page.count("var CircuitsVis=") == 1
    assert "<img" not in page.split("<script>")[0]
    assert page.count("</script>") == 2


def test_the_panel_with_most_to_see_is_open(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(n_top=2))
    panels = [
        AttentionPanel(f"panel {number}", ("a", "b"), np.ones((1, 2, 2)), ("L0H0",), strength)
        for number, strength in enumerate((0.1, 0.9, 0.9))
    ]
    opened = [page.is_open for page in attention.page_panels(panels)]
    assert opened == [False, True, False]
    page = render_report(run, replace(DISPLAY, panels=lambda _: panels), SUMMARY)
    assert re.findall(r"<details open><summary>(panel \d)", page) == ["panel 1"]


def test_warnings_are_told_from_notes(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(n_top=1))
    neutral = render_report(run, DISPLAY, SUMMARY)
    assert 'class="notes"' in neutral and 'class="notes warning"' not in neutral
    run.manifest["notes"] += ["the <budget> was spent"]
    run.manifest["warnings"] = ["the <budget> was spent"]
    page = render_report(run, DISPLAY, SUMMARY)
    assert page.count("the &lt;budget&gt; was spent") == 1
    warning = page[page.index('class="notes warning"') : page.index('<details class="notes"')]
    assert "the &lt;budget&gt; was spent" in warning and "tokens were drawn" not in warning


def test_tokens_are_coloured_on_one_scale() -> None:
    texts = [
        ColouredText("first", "", ("<b>", "x"), np.array([np.nan, -5.0])),
        ColouredText("second", "", ("y", "z"), np.array([0.0, -10.0])),
    ]
    first, second = page_texts(texts)
    assert [(token.opacity, token.value) for token in first.tokens] == [("0.000", ""), ("0.425", "\u22125.00")]
    assert [token.opacity for token in second.tokens] == ["0.000", "0.850"]
    assert first.caption.endswith("darkest: \u221210.0 nats.")


def test_a_sequence_that_is_certain_throughout_is_white() -> None:
    (text,) = page_texts([ColouredText("all", "", ("a", "b"), np.array([0.0, np.nan]))])
    assert {token.opacity for token in text.tokens} == {"0.000"}
