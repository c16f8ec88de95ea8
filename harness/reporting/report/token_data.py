"""Answers of tokens and points as a page holds them: JSON that its scripts draw when they are looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.measure.formatting import number
from harness.reporting.asked import Asked, TokenCard
from harness.reporting.points import Axis, PointCloud
from harness.reporting.report.attention import script_json
from harness.tokens.text import shorten, visible

MOST_BYTES = 3_000_000
"""Of all answers in a page: with figures and tables it stays below 5 MB."""
MOST_POINTS = 6_000
_ANSWER_LETTERS = 200


@dataclass(frozen=True)
class PageAsked:
    """Cards and prompts as a page holds them."""

    data: str
    """JSON that may stand inside a script element."""
    n_cards: int
    note: str
    """What is not shown, and why; empty where all is."""


@dataclass(frozen=True)
class PagePoints:
    """One cloud of points as a page holds it."""

    element: str
    """Id of the element it is drawn into."""
    title: str
    caption: str
    data: str
    note: str


def page_asked(asked: Asked) -> PageAsked:
    """Cards made fit for one page: those with the most bad answers first, as many as fit."""
    cards = sorted((card for card in asked.cards if card.said), key=lambda card: (-card.n_bad, card.token_id))
    facts = list(dict.fromkeys(name for card in cards for name in card.facts))
    verdicts = list(dict.fromkeys(said.verdict for card in cards for said in card.said))
    names = list(dict.fromkeys(said.prompt for card in cards for said in card.said))
    prompts = {prompt.name: prompt for prompt in asked.prompts}
    kept: list[str] = []
    room = MOST_BYTES
    for card in cards:
        text = script_json(_card(card, facts, names, verdicts))
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    head = {
        "facts": [visible(name) for name in facts],
        "verdicts": [visible(verdict) for verdict in verdicts],
        "prompts": [
            {"name": visible(name), "text": _lines(prompts[name].text), "note": visible(prompts[name].note)}
            if name in prompts
            else {"name": visible(name), "text": "", "note": ""}
            for name in names
        ],
    }
    note = "" if len(kept) == len(cards) else (
        f"{len(kept):,} of {len(cards):,} tokens, those that fail most first, to keep the page small; records.jsonl "
        "holds all."
    )  # fmt: skip
    data = f'{script_json(head)[:-1]},"cards":[{",".join(kept)}]}}'
    return PageAsked(data, len(kept), note)


def _card(card: TokenCard, facts: Sequence[str], names: Sequence[str], verdicts: Sequence[str]) -> list[Any]:
    said = [
        [
            names.index(one.prompt),
            None if one.answer is None else shorten(visible(one.answer), _ANSWER_LETTERS),
            verdicts.index(one.verdict),
            int(one.is_bad),
        ]
        for one in card.said
    ]
    return [card.token_id, visible(card.token), [_fact(card.facts.get(name)) for name in facts], said]


def _fact(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return visible(value) if isinstance(value, str) else number(value)


def _lines(text: str) -> str:
    """Everything invisible made visible, lines left as they are."""
    return "\n".join(visible(line) for line in text.split("\n"))


def page_points(clouds: Sequence[PointCloud]) -> list[PagePoints]:
    """Clouds made fit for a page: of the largest group a part, evenly over its ids, where not all fit."""
    return [_page_points(f"points-{number}", cloud) for number, cloud in enumerate(clouds)]


def _page_points(element: str, cloud: PointCloud) -> PagePoints:
    shown = np.flatnonzero((cloud.group >= 0) & np.isfinite(cloud.x) & np.isfinite(cloud.y))
    kept = _thinned(shown, cloud.group)
    note = (
        ""
        if len(kept) == len(shown)
        else f"{len(kept):,} of {len(shown):,} tokens, to keep the page small: of the largest group not all."
    )
    data = {
        "x": _axis(cloud.x_axis),
        "y": _axis(cloud.y_axis),
        "groups": [visible(name) for name in cloud.groups],
        "counts": [int((cloud.group[shown] == group).sum()) for group in range(len(cloud.groups))],
        "points": [
            [int(cloud.ids[at]), visible(cloud.tokens[at]), _digits(cloud.x[at]), _digits(cloud.y[at]),
             int(cloud.group[at])]
            for at in kept.tolist()
        ],
    }  # fmt: skip
    return PagePoints(element, visible(cloud.title), visible(cloud.caption), script_json(data), note)


def _thinned(shown: np.ndarray, group: np.ndarray) -> np.ndarray:
    if len(shown) <= MOST_POINTS:
        return shown
    largest = np.bincount(group[shown]).argmax()
    of_largest, others = shown[group[shown] == largest], shown[group[shown] != largest]
    # Never fewer than a tenth: what the others are seen against.
    n = min(len(of_largest), max(MOST_POINTS // 10, MOST_POINTS - len(others)))
    return np.sort(np.concatenate([others, of_largest[np.linspace(0, len(of_largest) - 1, n).astype(int)]]))


def _axis(axis: Axis) -> dict[str, Any]:
    return {"label": visible(axis.label), "log": axis.is_log}


def _digits(value: float) -> float:
    return float(f"{float(value):.5g}")
