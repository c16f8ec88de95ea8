"""Attention patterns to look at by hand: the one importer of circuitsvis.

Its own HTML repeats 1.3 MB of JavaScript for every panel, and writes token strings into a script as they are. Here its
bundle goes into a page once, and patterns and tokens travel as data that no token can break out of.
"""

import importlib.util
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.reporting.display import AttentionPanel
from harness.tokens.text import shorten, visible

MOST_POSITIONS = 200
"""Beyond this a browser crawls over the cells of a single head."""
MOST_CELLS = 500_000
"""Of all panels of a page together; a cell takes about 6 bytes."""
_DIGITS = 3
_TOKEN_LETTERS = 20
_COLOUR = "#0072B2"


@dataclass(frozen=True)
class PagePanel:
    """One panel as a page holds it."""

    element: str
    """Id of the element it is drawn into."""
    title: str
    data: str
    """JSON that may stand inside a script element."""
    note: str
    """What is not shown, and why; empty where all is."""
    is_open: bool = False


def page_panels(panels: Sequence[AttentionPanel]) -> list[PagePanel]:
    """Panels made fit for one page, the strongest heads of each kept where not all fit."""
    shown = [panel for panel in panels if len(panel.tokens) <= MOST_POSITIONS]
    budget = MOST_CELLS // max(len(shown), 1)
    first = max(range(len(panels)), key=lambda number: panels[number].strength, default=None)
    pages = (_page_panel(f"attention-{number}", panel, budget) for number, panel in enumerate(panels))
    return [replace(page, is_open=number == first) for number, page in enumerate(pages)]


def _page_panel(element: str, panel: AttentionPanel, budget: int) -> PagePanel:
    n_heads, n = panel.patterns.shape[0], len(panel.tokens)
    if n > MOST_POSITIONS:
        note = f"{n} positions are too many to look at by hand (at most {MOST_POSITIONS}); see the figure."
        return PagePanel(element, visible(panel.title), "", note)
    kept = max(1, min(n_heads, budget // (n * n)))
    note = "" if kept == n_heads else f"{kept} of {n_heads} heads, to keep the page small."
    data = {
        "attention": _rounded(panel.patterns[:kept]),
        "attentionHeadNames": [visible(label) for label in panel.head_labels[:kept]],
        "tokens": [shorten(visible(token), _TOKEN_LETTERS) for token in panel.tokens],
        "minValue": 0,
        "maxValue": 1,
        "negativeColor": "white",
        "positiveColor": _COLOUR,
    }
    return PagePanel(element, visible(panel.title), script_json(data), note)


def _rounded(patterns: np.ndarray) -> list[Any]:

    # float64 first: a rounded float32 prints as 0.4869999885.
    values = np.asarray(patterns).astype(np.float64).round(_DIGITS).tolist()
    return [[[_short(value) for value in row] for row in head] for head in values]


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def script_json(value: Any) -> str:
    """JSON in ASCII without `<`, `>` and `&`: neither a script's end nor a broken character can stand in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def bundle() -> str:
    """CircuitsVis' JavaScript as it may stand inside one script element; defines the global `CircuitsVis`.

    Raises `HarnessError` where the package does not hold it.
    """
    # Found, not imported: its Python side pulls in torch, which a page of stored numbers does not need.
    spec = importlib.util.find_spec("circuitsvis")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    paths = [Path(folder) / "dist" / "cdn" / "iife.js" for folder in folders]
    for path in paths:
        if path.is_file():
            source = path.read_text(encoding="utf-8")
            lines = (line for line in source.splitlines() if not line.startswith("//# sourceMappingURL="))
            return "\n".join(lines).replace("</script", "<\\/script").replace("<!--", "<\\!--")
    raise HarnessError(
        "circuitsvis holds no dist/cdn/iife.js; reinstall it (pip install --force-reinstall circuitsvis)"
    )


def standalone(panels: Sequence[AttentionPanel]) -> str:
    """Panels as an HTML page of their own, for a tracker's media; the bundle goes in once."""

    pages = page_panels(panels)
    body = "".join(f'<p>{escape(page.title)} {escape(page.note)}</p><div id="{page.element}"></div>' for page in pages)
    calls = "".join(
        f'CircuitsVis.render("{page.element}", CircuitsVis.AttentionHeads, {page.data});' for page in pages if page.data
    )
    return f'<!doctype html><meta charset="utf-8">{body}<script>{bundle()}</script><script>{calls}</script>'
