"""What repeat_tokens refuses."""

import pytest

from experiments.repeat_tokens.config import RepeatTokensConfig, check
from harness.errors import Rejected
from harness.runs._subject import Subject
from harness.runs.config.schema import RunConfig
from harness.runs.config.typed import to_dataclass
from harness.runs.experiment import CheckContext
from tests.helpers.rule_model import BOS, facts

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"seq_len": 0}, "exp.seq_len: got 0"),
        ({"seq_len": 1}, "exp.seq_len: got 1"),
        ({"n_sequences": 0}, "exp.n_sequences: got 0"),
        ({"top_heads": 0}, "exp.top_heads: got 0"),
        ({"batch_size": 0}, "exp.batch_size: got 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], key: str) -> None:
    with pytest.raises(Rejected, match=key):
        to_dataclass(RepeatTokensConfig, parameters, "exp.")


@pytest.mark.parametrize(
    ("bos_id", "n_ctx", "longest"), [(BOS, 64, 31), (None, 64, 32), (BOS, 65, 32), (BOS, None, 999)]
)
def test_sequences_must_fit_the_context(bos_id: int | None, n_ctx: int | None, longest: int) -> None:
    def context(seq_len: int) -> CheckContext:
        exp = RepeatTokensConfig(seq_len=seq_len)
        return CheckContext(RunConfig("repeat_tokens", exp), Subject(None, facts(bos_id, n_ctx), {}, None))

    check(context(longest))
    if n_ctx is not None:
        with pytest.raises(Rejected, match=f"^seq_len: got {longest + 1}, allowed: 2 to {longest} "):
            check(context(longest + 1))


def test_a_window_too_short_for_anything_is_named() -> None:
    exp = RepeatTokensConfig(seq_len=2)
    with pytest.raises(Rejected, match=r"^model.n_ctx: got a window of 4 tokens, allowed: at least 5 \(BOS"):
        check(CheckContext(RunConfig("repeat_tokens", exp), Subject(None, facts(BOS, 4), {}, None)))
