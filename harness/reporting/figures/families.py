"""How the members of a family look: a pool has one colour in every picture, and doses are ordered by their shade."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.colors import to_hex

from harness.reporting.figures.style import COLOURS, LINE_STYLES, MARKERS

# Pools of the house keep their place whatever stands beside them; others take what is free.
_OWN_PLACE = {"unused": 0, "common": 1, "common_a": 2, "common_b": 3, "held_out": 4}

_DOSE = re.compile(r"(natural|planted|exposures)_(?:(never)|from_(\d+)|(\d+)_to_(\d+)|(\d+))")
_SHADES = {"natural": ("Blues", "-", "o"), "planted": ("Oranges", "--", "s"), "exposures": ("Greens", "-.", "^")}
# What whole curves of doses are called.
_KINDS = {"natural tokens": (COLOURS[1], "-", "o"), "planted tokens": (COLOURS[0], "--", "s")}
# Paler ones would not be seen on white.
_PALEST = 0.4


@dataclass(frozen=True)
class _Dose:
    """What a pool's name says of how often training showed its tokens."""

    kind: str
    low: int
    words: str


def _dose(name: str) -> _Dose | None:
    match = _DOSE.fullmatch(name)
    if match is None:
        return None
    kind, never, least, low, high, exact = match.groups()
    if never:
        return _Dose(kind, 0, "never")
    if least:
        return _Dose(kind, int(least), f"≥ {int(least):,}")
    if exact:
        return _Dose(kind, int(exact), f"{int(exact):,}")
    return _Dose(kind, int(low), f"{int(low):,}–{int(high):,}")


def can_be_told_apart(names: Sequence[str]) -> bool:
    """Whether the curves of all these can stand in one picture: a colour each, doses (`planted_64`) a shade each."""
    return len(_undosed(names)) <= len(COLOURS)


def _undosed(names: Sequence[str]) -> list[str]:
    return [name for name in names if _dose(name) is None]


def pool_title(name: str) -> str:
    """A pool's name as it is read: `natural_from_4000` is `natural ≥ 4,000`; other names stay as they are."""
    dose = _dose(name)
    return name if dose is None else f"{dose.kind} {dose.words}"


def colour_of(name: str, names: Sequence[str]) -> str:
    """The colour of one member of a family: darker for higher doses, else one of the house's."""
    return _look(name, names)[0]


def line_style_of(name: str, names: Sequence[str]) -> str:
    """The dash pattern of one member, so that a black-and-white print can be read; of doses, that of their kind."""
    return _look(name, names)[1]


def marker_of(name: str, names: Sequence[str]) -> str:
    """The marker of one member; of doses, that of their kind."""
    return _look(name, names)[2]


def _look(name: str, names: Sequence[str]) -> tuple[str, str, str]:
    """Colour, dashes, marker."""
    if name in _KINDS:
        return _KINDS[name]
    dose = _dose(name)
    if dose is not None:
        palette, dashes, marker = _SHADES[dose.kind]
        lows = sorted({one.low for other in names if (one := _dose(other)) is not None and one.kind == dose.kind})
        share = lows.index(dose.low) / (len(lows) - 1) if len(lows) > 1 else 1.0
        return str(to_hex(matplotlib.colormaps[palette](_PALEST + (1 - _PALEST) * share))), dashes, marker
    place = _place(name, names)
    return COLOURS[place % len(COLOURS)], LINE_STYLES[place % len(LINE_STYLES)], MARKERS[place % len(MARKERS)]


def _place(name: str, names: Sequence[str]) -> int:
    """Which of the house's colours; names with a place of their own keep it."""
    names = _undosed(names)
    if not any(other in _OWN_PLACE for other in names):
        return names.index(name)
    if name in _OWN_PLACE:
        return _OWN_PLACE[name]
    taken = {_OWN_PLACE[other] for other in names if other in _OWN_PLACE}
    others = [other for other in names if other not in _OWN_PLACE]
    free = [place for place in range(len(taken) + len(others)) if place not in taken]
    return free[others.index(name)]
