"""A dataclass of parameters in words, and what a shell completes of it."""

import shutil
import subprocess
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest

from harness.completion import BASH, complete
from harness.constraints import Count, Share
from harness.parameters import parameters

pytestmark = pytest.mark.unit


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    depth: Count = 2
    """How deep."""


@dataclass(frozen=True)
class Outer:
    needed: int
    """Has no default."""
    share: Share = 0.5
    """A part
    of it."""
    colour: Colour = Colour.RED
    path: Path | None = None
    ids: tuple[int, ...] = (1, 2)
    inner: Inner = field(default_factory=Inner)
    """Not shown: its own parameters are."""


def test_every_field_in_words() -> None:
    found = {one.key: (one.meaning, one.allowed, one.default) for one in parameters(Outer)}
    assert found == {
        "needed": ("Has no default.", "whole number", "required"),
        "share": ("A part of it.", "number, a share above 0, at most 1", "0.5"),
        "colour": ("", "red, blue", "red"),
        "path": ("", "path, or null", "null"),
        "ids": ("", "list of whole number", "[1,2]"),
        "inner.depth": ("How deep.", "whole number, 1 or more", "2"),
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("harness exp=copy", ["exp=copy_map"]),
        ("harness exp=census exp.verd", ["exp.verdict="]),
        ("harness exp=census exp.verdict=", ["exp.verdict=agreement", "exp.verdict=published"]),
        ("harness exp=census exp.ask_all=", ["exp.ask_all=false", "exp.ask_all=true"]),
        ("harness exp=census model=gpt2,poc", ["model=gpt2,pocket"]),
        ("harness tracker=n", ["tracker=none"]),
        ("harness exp=nonsense exp.", []),
    ],
)
def test_the_last_word_is_completed(line: str, expected: list[str]) -> None:
    assert complete(line) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_bash_puts_in_what_stands_after_the_equals_sign(tmp_path: Path) -> None:
    stand_in = tmp_path / "harness"
    stand_in.write_text('#!/bin/sh\n[ "$2" = "harness exp=c" ] && printf "exp=census\\nexp=copy_map\\n"\n')
    stand_in.chmod(0o755)
    script = f'{BASH}\nCOMP_LINE="harness exp=c"; COMP_POINT=13; _harness; printf "%s " "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["census", "copy_map"]
