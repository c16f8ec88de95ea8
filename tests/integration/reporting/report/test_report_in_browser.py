"""The report as a person opens it: from disk, in a browser, with nothing to fetch from."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.reporting.asked import Asked, Prompt, Said, TokenCard
from harness.reporting.display import Answer, Display, Table
from harness.reporting.figures.drawing import draw_run
from harness.reporting.points import Axis, PointCloud
from harness.reporting.report.html import render_report
from harness.runs.folder import RunFolder
from tests.unit.runs.results.stored_runs import FEW_FIGURES as DISPLAY
from tests.unit.runs.results.stored_runs import HOSTILE_TOKENS, SUMMARY, Made, write_run

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine (Debian: apt-get install chromium)"),
]


# Runs before anything else in the page: what goes wrong is written where the test can read it.
_WITNESS = """
window.seen = { errors: [], violations: [] };
addEventListener("error", (event) => seen.errors.push(String(event.message)), true);
document.addEventListener("securitypolicyviolation", (event) => seen.violations.push(event.blockedURI));
"""
# Opens and sorts everything, then reports.
_ACT = r"""
for (const details of document.querySelectorAll("details")) details.open = true;
setTimeout(() => {
  const table = document.querySelector("table.sortable");
  const column = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === "mean");
  const values = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.sort));
  const before = values();
  table.tHead.rows[0].cells[column].click();
  const ascending = values();
  table.tHead.rows[0].cells[column].click();
  const descending = values();
  const heads = (place) => [...place.querySelectorAll("th")].map((head) => head.textContent);
  const searched = [...document.querySelectorAll("p.find")].find(
    (one) => heads(one.nextElementSibling).includes("half"));
  const rows = [...searched.nextElementSibling.querySelector("tbody").rows];
  const search = (text) => {
    searched.querySelector("input").value = text;
    searched.querySelector("input").dispatchEvent(new Event("input"));
    return rows.filter((row) => !row.hidden).map((row) => row.textContent.replace(/\s+/g, " ").trim());
  };
  const names = heads(searched.nextElementSibling);
  document.getElementById("copy").click();
  const report = {
    ...seen, before, ascending, descending, names, rows: rows.length, selected: String(getSelection()),
    nothing: search("no such words"), common: search("common"), early: search("POSITION<2 common"),
    by_column: search("pool:unused"), all: search("").length,
    badge: document.querySelector(".badge")?.textContent ?? null,
    first: document.querySelector("h1").textContent.replace(/\s+/g, " ").trim(),
    answer: document.querySelector("p.answer")?.textContent ?? null,
    pwned: window.pwned === undefined ? null : String(window.pwned),
    canvases: [...document.querySelectorAll(".panel")].map((panel) => panel.querySelectorAll("canvas").length),
    images: [...document.images].map((image) => image.complete && image.naturalWidth > 0),
    fetched: performance.getEntriesByType("resource").map((at) => at.name).filter((at) => !at.startsWith("data:")),
    width: document.documentElement.scrollWidth <= innerWidth,
  };
  const place = document.createElement("pre");
  place.id = "witness";
  place.textContent = JSON.stringify(report);
  document.body.append(place);
}, 3000);
"""


def _opened(page: str, folder: Path, act: str = _ACT, at: str = "") -> dict[str, Any]:
    nonce = re.search(r'script nonce="(\w+)"', page)
    assert nonce is not None
    tag = f'<script nonce="{nonce[1]}">'
    page = page.replace("<title>", f"{tag}{_WITNESS}</script><title>", 1)
    page = page.replace("</body>", f"{tag}{act}</script></body>", 1)
    path = folder / "witnessed.html"
    path.write_text(page, encoding="utf-8")
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", "--proxy-server=127.0.0.1:9", "--window-size=1100,900",
        "--virtual-time-budget=20000", "--dump-dom", path.as_uri() + at,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="witness">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    return dict(json.loads(unescape(found[1])))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("browser")
    run = write_run(folder, Made(published=True))
    draw_run(run, DISPLAY, RunFolder(run.folder))
    return _opened(render_report(run, DISPLAY, SUMMARY), folder)


def test_nothing_fails_and_nothing_is_fetched(seen: dict[str, Any]) -> None:
    # A library in CircuitsVis' bundle tries whether WebAssembly is there, is refused, and goes on without it.
    assert seen["errors"] == [] and set(seen["violations"]) <= {"eval", "wasm-eval"}
    assert seen["fetched"] == []


def test_no_token_runs(seen: dict[str, Any]) -> None:
    assert seen["pwned"] is None


def test_every_panel_draws_twelve_heads_and_the_chosen_one(seen: dict[str, Any]) -> None:
    assert seen["canvases"] == [13, 13]


def test_pictures_show_and_the_page_is_no_wider_than_the_window(seen: dict[str, Any]) -> None:
    assert seen["images"] == [True] * len(DISPLAY.figures)
    assert seen["width"] is True


def test_tables_sort_as_numbers_both_ways(seen: dict[str, Any]) -> None:
    before = seen["before"]
    assert isinstance(before, list) and before != sorted(before)
    assert seen["ascending"] == sorted(before)
    assert seen["descending"] == sorted(before, reverse=True)


def test_a_table_is_searched_by_words_and_by_columns(seen: dict[str, Any]) -> None:
    assert {"pool", "position"} <= set(seen["names"])
    assert seen["nothing"] == [] and seen["all"] == seen["rows"] > 0
    assert 0 < len(seen["common"]) < seen["rows"] and all("common" in row for row in seen["common"])
    assert len(seen["common"]) + len(seen["by_column"]) == seen["rows"]
    assert 0 < len(seen["early"]) < len(seen["common"]) and set(seen["early"]) < set(seen["common"])


def test_the_command_is_selected_to_be_copied(seen: dict[str, Any]) -> None:
    assert seen["selected"].startswith("python -m harness exp=repeat_tokens")


def test_a_gate_stands_beside_the_title_and_the_answer_below_it(tmp_path: Path, seen: dict[str, Any]) -> None:
    assert seen["badge"] is None and seen["answer"] is None
    run = write_run(tmp_path, Made(seq_len=3, n_top=1))
    failed = replace(DISPLAY, answer=lambda _: Answer("<b>5 of 9</b> fail\u202e.", passed=False))
    found = _opened(render_report(run, failed, SUMMARY), tmp_path)
    assert found["badge"] == "gate not passed" and found["first"].endswith("gate not passed")
    assert found["answer"] == "<b>5 of 9</b> fail\\u202e."


# Opened at the address of a card: searches answers, follows a link, hovers over a point.
_LOOK = r"""
setTimeout(() => {
  const texts = (rows) => [...rows].map((row) => [...row.cells].map((cell) => cell.textContent));
  const card = document.getElementById("card");
  const input = document.querySelector("#asked-find input");
  const search = (words, prompt, verdict) => {
    input.value = words;
    document.getElementById("asked-prompt").value = prompt;
    document.getElementById("asked-verdict").value = verdict;
    input.dispatchEvent(new Event("input"));
    return texts(document.querySelector("#asked-rows tbody").rows);
  };
  const report = { ...seen, first: card.hidden ? null : card.textContent, all: search("", -1, -1).length };
  report.words = search("FIVE", -1, -1);
  report.prompt = search("", 1, -1);
  report.verdict = search("", -1, 0);
  report.both = search("5", 0, 1);
  document.querySelector("#card button").click();
  report.closed = card.hidden;
  const links = [...document.querySelectorAll("table.sortable td a")];
  report.links = links.map((link) => [link.textContent, link.getAttribute("href")]);
  report.prompts = [...document.querySelectorAll("#prompts pre")].map((one) => one.textContent.trim());
  const canvas = document.querySelector(".points canvas"), box = canvas.getBoundingClientRect();
  const hover = (x, y) => {
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + x, clientY: box.top + y }));
    const tip = document.querySelector(".points .tip");
    return tip.hidden ? null : tip.textContent;
  };
  // Two points: one at the lower left, one at the upper right of the frame.
  const places = [];
  for (let x = 70; x < 750; x += 8) for (let y = 30; y < 390; y += 8) {
    const tip = hover(x, y);
    if (tip && !places.includes(tip)) places.push(tip);
  }
  report.tips = places;
  report.outside = hover(1, 1);
  document.querySelectorAll("table.sortable td a")[1].click();
  setTimeout(() => {
    report.followed = card.hidden ? null : card.textContent;
    report.filled = [...card.querySelectorAll("pre")].map((one) => one.textContent);
    report.pwned = window.pwned === undefined ? null : String(window.pwned);
    const place = document.createElement("pre");
    place.id = "witness";
    place.textContent = JSON.stringify(report);
    document.body.append(place);
  }, 300);
}, 500);
"""


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("tokens")
    hostile = HOSTILE_TOKENS[0]
    cards = (
        TokenCard(
            5, "five", {"kind": "letters"}, (Said("echo", "six", "wrong", True), Said("ask", "five", "right", False))
        ),
        TokenCard(
            6, hostile, {"kind": hostile}, (Said("echo", hostile, "wrong", True), Said("ask", None, "wrong", True))
        ),
    )
    prompts = (Prompt("echo", "Say {token}\nand {token}", "plain"), Prompt("ask", hostile))
    points = PointCloud(
        "points", "caption", Axis("shown", is_log=True), Axis(""), ("passes", "glitch token"), np.array([5, 6]),
        ("five", hostile), np.array([0.0, 100.0]), np.array([1.0, 2.0]), np.array([0, 1]),
    )  # fmt: skip
    frame = pd.DataFrame({"id": [5, 6, 7], "token": ["five", hostile, "seven"], "mean": [1.0, 2.0, 3.0]})
    display = Display(
        tables=(Table("tokens", "caption", lambda _: frame),), asked=lambda _: Asked(cards, prompts),
        clouds=lambda _: (points,),
    )  # fmt: skip
    page = render_report(write_run(folder, Made(seq_len=3, n_top=1)), display, SUMMARY)
    return _opened(page, folder, _LOOK, "#token-6")


def test_the_address_of_a_token_opens_its_card(looked: dict[str, Any]) -> None:
    assert looked["errors"] == [] and looked["violations"] == [] and looked["pwned"] is None
    assert HOSTILE_TOKENS[0] in looked["first"] and "(not stored)" in looked["first"]
    assert looked["closed"] is True


def test_answers_are_searched_by_words_prompt_and_verdict(looked: dict[str, Any]) -> None:
    assert looked["all"] == 4
    assert looked["words"] == [["echo", "5", "five", "six", "wrong"], ["ask", "5", "five", "five", "right"]]
    assert [row[:2] for row in looked["prompt"]] == [["ask", "6"], ["ask", "5"]]
    assert [row[4] for row in looked["verdict"]] == ["wrong"] * 3
    assert looked["both"] == []


def test_a_token_in_a_table_leads_to_its_card_where_there_is_one(looked: dict[str, Any]) -> None:
    assert looked["links"] == [["five", "#token-5"], [HOSTILE_TOKENS[0], "#token-6"]]
    assert looked["filled"] == [f"Say {HOSTILE_TOKENS[0]}\nand {HOSTILE_TOKENS[0]}", HOSTILE_TOKENS[0]]
    assert looked["prompts"] == ["Say {token}\nand {token}", HOSTILE_TOKENS[0]]


def test_a_point_says_its_token_when_the_pointer_is_near(looked: dict[str, Any]) -> None:
    assert looked["tips"] == ["five (id 5)\npasses\nshown: 0", f"{HOSTILE_TOKENS[0]} (id 6)\nglitch token\nshown: 100"]
    assert looked["outside"] is None


def test_the_witness_would_see_a_script_that_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(seq_len=3, n_top=1))
    page = render_report(run, DISPLAY, SUMMARY)
    nonce = re.search(r'script nonce="(\w+)"', page)
    assert nonce is not None
    planted = page.replace("<h2>Tables", f'<script nonce="{nonce[1]}">window.pwned = 1</script><h2>Tables', 1)
    assert _opened(planted, tmp_path)["pwned"] == "1"
    unsigned = page.replace("<h2>Tables", "<script>window.pwned = 1</script><h2>Tables", 1)
    witness = _opened(unsigned, tmp_path)
    assert witness["pwned"] is None and "inline" in witness["violations"]
