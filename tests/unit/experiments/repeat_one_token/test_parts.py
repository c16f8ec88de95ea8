"""Counting by hand, units of tokens, and what repeat_one_token refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.repeat_one_token.config import RepeatOneTokenConfig, check
from experiments.repeat_one_token.going_on import GoingOn
from harness.errors import Rejected
from harness.glitch.copying.coinciding import units_of
from harness.models.vocab_facts import VocabFacts
from harness.runs._subject import Subject
from harness.runs.config.schema import RunConfig
from harness.runs.config.typed import to_dataclass
from harness.runs.experiment import CheckContext
from harness.tokens.pools import resolve_pools
from tests.helpers.one_token_model import OneTokenModel, facts, run_in

pytestmark = pytest.mark.unit


def test_starts_and_ends_by_hand() -> None:
    said = np.array(
        [
            [0, 1, 1, 0, 1],  # an end counts once, what comes after it does not
            [0, 0, 0, 0, 0],
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 1],
            [1, 0, 0, 0, 0],
        ],
        dtype=bool,
    )
    found = GoingOn.of(said)
    assert found.starts.tolist() == [2, 0, 1, 5, 1]
    assert found.diverges.tolist() == [4, 0, 0, 0, 2]
    assert found.lasted.tolist() == [2, 0, 5, 1, 1]
    assert found.still_goes_on.tolist() == [False, False, True, True, False]
    assert found.fails_at.tolist() == [4, 5, 0, 0, 2]
    curve = found.survival()
    assert curve is not None
    # Four started: one ended after 1 (another was last seen then), one after 2, one was last seen after 5.
    assert curve.time.tolist() == [1, 2, 5] and curve.share == pytest.approx([3 / 4, 3 / 8, 3 / 8])
    assert GoingOn.of(said[1:2]).survival() is None


def test_units_are_linked_through_others_of_the_ids_only() -> None:
    coinciding = {5: (5, 6, 9), 6: (5, 6), 7: (7, 9)}
    assert units_of((5, 6, 7, 8), coinciding) == ((5, 6), (7,), (8,))
    assert units_of((7, 6, 5, 9), {**coinciding, 9: (5, 7, 9)}) == ((5, 6, 7, 9),)


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"length": 3}, "exp.length: got 3"),
        ({"n_tokens": 0}, "exp.n_tokens: got 0"),
        ({"batch_size": 0}, "exp.batch_size"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], key: str) -> None:
    with pytest.raises(Rejected, match=key):
        to_dataclass(RepeatOneTokenConfig, parameters, "exp.")


def context(about: VocabFacts, **parameters: Any) -> CheckContext:
    config = RunConfig("repeat_one_token", RepeatOneTokenConfig(**parameters), pools={"unused": "30:32"})
    return CheckContext(config, Subject(None, about, resolve_pools(config.pools, about, 0), None))


def test_what_cannot_work_is_refused_before_anything_is_loaded() -> None:
    check(context(facts(n_ctx=64), length=64))
    check(context(facts(n_ctx=None), length=9_999))
    with pytest.raises(
        Rejected, match=r"^length: got 65, allowed: 4 to 64, the tokens of the context \(BOS included\)"
    ):
        check(context(facts(n_ctx=64), length=65))
    with pytest.raises(Rejected, match=r"^model.n_ctx: got a window of 3 tokens, allowed: at least 4"):
        check(context(facts(n_ctx=3)))
    with pytest.raises(Rejected, match=r"^pools.unused: got 2 ids, each with a job"):
        check(context(facts(roles=(30, 31))))


@pytest.mark.parametrize(("n_ctx", "length"), [(64, 64), (None, 512), (2048, 512)])
def test_by_default_a_sequence_fills_the_context(n_ctx: int | None, length: int, tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, OneTokenModel(), about=facts(n_ctx=n_ctx), length=None, n_tokens=1)
    assert outcome.details["length"] == length
