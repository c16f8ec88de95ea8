"""The page over a results folder as a person opens it: runs, one metric of several, two compared."""

import json
import re
import shutil
import subprocess

import pytest

from harness.results import main
from tests.unit.runs.results.stored_runs import HOSTILE_TOKENS, Made, write_run

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def dom(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the browser made of the page of three runs, one with a name and an answer that would like to be scripts."""
    folder = tmp_path_factory.mktemp("index")
    for made in (Made(seq_len=3), Made(seq_len=3, gain=1.0, seed=1), Made(seq_len=3, seed=2)):
        run = write_run(folder / "results", made)
        (run.folder / "report.html").write_text("report")
    manifest = dict(run.manifest)
    manifest["model"] = {**manifest["model"], "label": HOSTILE_TOKENS[0]}
    (run.folder / "manifest.json").write_text(json.dumps(manifest))
    (run.folder / "answer.json").write_text(json.dumps({"sentence": HOSTILE_TOKENS[0], "passed": None}))
    assert main([str(folder / "results"), "--html"]) == 0
    page = folder / "results" / "index.html"
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", "--proxy-server=127.0.0.1:9", "--virtual-time-budget=5000",
        "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_every_run_leads_to_its_report(dom: str) -> None:
    links = re.findall(r'<a href="([^"]+)">', dom)
    assert len(links) == 3 and all(re.fullmatch(r"repeat_tokens/[^/]+/report\.html", link) for link in links)


def test_one_metric_is_drawn_with_its_intervals(dom: str) -> None:
    drawn = re.search(r'<div id="overlay">(.*?)</div>', dom, re.DOTALL)
    assert drawn is not None
    assert drawn[1].count("<circle") == 3


def test_two_runs_are_compared_and_what_lies_beyond_the_intervals_is_marked(dom: str) -> None:
    body = re.search(r'<table id="differences">.*?<tbody>(.*?)</tbody>', dom, re.DOTALL)
    assert body is not None
    rows = re.findall(r"<tr[^>]*>.*?</tr>", body[1], re.DOTALL)
    marked = [row for row in rows if 'class="beyond"' in row]
    assert marked and len(marked) < len(rows)
    assert any(">common/copy_gain<" in row for row in marked)


def test_names_stay_text(dom: str) -> None:
    assert HOSTILE_TOKENS[0] not in dom
