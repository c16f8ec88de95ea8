"""Fixtures of these tests."""

from functools import partial

import pytest

from experiments.repeat_one_token import measure as measuring
from experiments.repeat_one_token import metrics
from harness.glitch.copying.coinciding import Coinciding
from harness.measure.compare import permutation_p_value


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> Coinciding:
    """Which tokens coincide: none, but those that a test puts in."""
    found = Coinciding({}, {})
    monkeypatch.setattr(measuring, "find_coinciding", lambda _: found)
    fewer = partial(permutation_p_value, n_permutations=1_999)
    monkeypatch.setattr(metrics, "permutation_p_value", fewer)  # sixteen tests a run take a second with all
    return found
