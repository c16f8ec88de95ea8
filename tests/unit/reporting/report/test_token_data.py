"""Answers and points as a page holds them."""

import json
from typing import Any

import numpy as np
import pytest

from harness.reporting.asked import RIGHT, WRONG, Asked, Prompt, Said, TokenCard, judged_cards, prompts_of
from harness.reporting.points import Axis, PointCloud
from harness.reporting.report import token_data
from harness.reporting.report.token_data import page_asked, page_points
from tests.unit.runs.results.stored_runs import HOSTILE_TOKENS

pytestmark = pytest.mark.unit


def card(token_id: int, token: str, *verdicts: str, facts: dict[str, Any] | None = None) -> TokenCard:
    said = tuple(
        Said(f"wording_{place}", f"answer {place}", verdict, verdict == WRONG) for place, verdict in enumerate(verdicts)
    )
    return TokenCard(token_id, token, facts or {}, said)


def cloud(x: Any, group: Any, is_log: bool = False) -> PointCloud:
    n = len(x)
    return PointCloud(
        "cloud", "caption", Axis("x", is_log), Axis("y"), ("many", "few"), np.arange(n), [f"t{i}" for i in range(n)],
        np.asarray(x, dtype=np.float64), np.zeros(n), np.asarray(group),
    )  # fmt: skip


def test_rows_become_cards_and_what_was_not_asked_is_left_out() -> None:
    rows = [
        {"id": 7, "token": "seven", "a/passed": True, "a/answer": "seven", "b/passed": None, "b/answer": None},
        {"id": 9, "token": "nine", "a/passed": False, "a/answer": "six", "b/passed": False, "c/passed": True},
    ]
    seven, nine = judged_cards(rows, ["a", "b"], lambda row: {"twice": 2 * row["id"]})
    assert seven == TokenCard(7, "seven", {"twice": 14}, (Said("a", "seven", RIGHT, False),))
    assert nine.said == (Said("a", "six", WRONG, True), Said("b", None, WRONG, True)) and nine.n_bad == 2


def test_tokens_that_fail_most_come_first_and_those_never_asked_are_left_out() -> None:
    asked = Asked(
        (card(1, "a", RIGHT, RIGHT), card(2, "b", WRONG, RIGHT), card(3, "c", WRONG, WRONG), card(4, "d")), ()
    )
    data = json.loads(page_asked(asked).data)
    assert [one[0] for one in data["cards"]] == [3, 2, 1]
    assert [[said[2] for said in one[3]] for one in data["cards"]] == [[0, 0], [0, 1], [1, 1]]
    assert data["verdicts"] == [WRONG, RIGHT] and [one["name"] for one in data["prompts"]] == ["wording_0", "wording_1"]


def test_facts_are_as_people_read_them() -> None:
    facts = {"share": 0.12345, "times": 3, "known": None, "special": np.bool_(True), "kind": "byte\n"}
    (made,) = json.loads(page_asked(Asked((card(1, "a", RIGHT, facts=facts),), ())).data)["cards"]
    assert made[2] == ["0.123", "3", "", "yes", "byte⏎"]


@pytest.mark.parametrize("token", HOSTILE_TOKENS)
def test_nothing_leaves_its_script(token: str) -> None:
    one = TokenCard(1, token, {token: token}, (Said(token, token, token, True),))
    text = page_asked(Asked((one,), (Prompt(token, token, token),))).data
    assert text.isascii() and not set("<>&") & set(text)
    json.loads(text)


def test_a_prompt_keeps_its_lines() -> None:
    asked = Asked((card(1, "a", RIGHT),), (Prompt("wording_0", "In: {token}\nOut:\u202e ", "note"),))
    (prompt,) = json.loads(page_asked(asked).data)["prompts"]
    assert prompt == {"name": "wording_0", "text": "In: {token}\nOut:\\u202e␣", "note": "note"}


def test_what_does_not_fit_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = tuple(card(i, "token", WRONG if i == 50 else RIGHT) for i in range(100))
    whole = page_asked(Asked(cards, ()))
    assert whole.n_cards == 100 and whole.note == ""
    monkeypatch.setattr(token_data, "MOST_BYTES", len(whole.data) // 4)
    part = page_asked(Asked(cards, ()))
    assert 0 < part.n_cards < 30 and len(part.data) <= len(whole.data) // 4 + 200
    assert part.note.startswith(f"{part.n_cards} of 100 tokens")
    assert json.loads(part.data)["cards"][0][0] == 50


def test_prompts_say_what_their_text_does_not_show() -> None:
    questions = {
        "plain": {"text": "Say {token}", "chat": False, "bos": [0], "version": "a-1", "source": "someone"},
        "chat": {"text": "<user>{token}", "chat": True, "bos": []},
        "none": {"text": ""},
    }
    plain, chat = prompts_of(questions)
    assert plain.note == "after the BOS token; version a-1; someone"
    assert chat.note == "through the model's chat template"


def test_points_that_are_nowhere_are_left_out() -> None:
    (page,) = page_points([cloud([1.0, np.nan, np.inf, 4.0, 5.123456789], [0, 0, 0, -1, 1])])
    data = json.loads(page.data)
    assert data["points"] == [[0, "t0", 1.0, 0.0, 0], [4, "t4", 5.1235, 0.0, 1]]
    assert data["counts"] == [1, 1] and page.note == ""


def test_of_too_many_points_the_smaller_group_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_data, "MOST_POINTS", 100)
    group = [int(i % 50 == 0) for i in range(1000)]
    (page,) = page_points([cloud(range(1000), group)])
    data = json.loads(page.data)
    kept = [point[4] for point in data["points"]]
    assert kept.count(1) == 20 and kept.count(0) == 80
    assert data["counts"] == [980, 20] and page.note.startswith("100 of 1,000 tokens")
    assert data["points"][-1][0] == 999
