import pytest

from harness.tokens.unused.reserved_names import is_reserved_name, reserved_names

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "name",
    [
        "<unused0>", "[unused1]", "<|reserved_special_token_0|>", "<extra_id_0>", "<SPECIAL_1>", "<reserved_106>",
        "<|extra_0|>", "[UNUSED_TOKEN_1]", "<|dummy_0|>", "[control_8]", "<|placeholder1|>", "<|mask7|>",
        "<｜place▁holder▁no▁3｜>", "<madeupword0000>", "<|unused_token_12|>", ">>UNUSED_220<<", "<|reserved|>",
    ],
)  # fmt: skip
def test_names_of_reserved_places(name: str) -> None:
    assert is_reserved_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "<mask>", "[MASK]", "<pad>", "<|endoftext|>", "<|im_start|>", "<extra>", "<special>", "unused0", "reserved",
        "<0xF5>", "<s>", "[CLS]", "<|user|>", "<unusedly>", "<>", "[]", "<|", "<reserved words>", "▁unused", "[1]",
    ],
)  # fmt: skip
def test_names_with_a_job_and_ordinary_words(name: str) -> None:
    assert not is_reserved_name(name)


def test_ids_ascend() -> None:
    assert reserved_names({9: "<unused1>", 3: "<unused0>", 5: "the"}) == (3, 9)
