"""Fixtures of these tests."""

import pytest

from experiments.repeat_tokens import measure as measuring
from harness.glitch.copying.coinciding import Coinciding


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> Coinciding:
    """Which tokens coincide: none, but those that a test puts in."""
    found = Coinciding({}, {})
    monkeypatch.setattr(measuring, "find_coinciding", lambda _: found)
    return found
