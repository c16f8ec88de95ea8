"""Patterns over hook names: what they stand for, and what a mistake is answered with."""

import pytest

from harness.errors import Rejected
from harness.models.activations.request import ActivationRequest, matching_names

NAMES = (
    "blocks.0.attn.hook_out",
    "blocks.0.attn.hook_pattern",
    "blocks.0.hook_out",
    "blocks.1.attn.hook_pattern",
    "blocks.1.hook_out",
    "blocks.10.hook_out",
    "embed.hook_out",
    "hook_embed",
)


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("hook_embed", ["hook_embed"]),
        ("blocks.*.attn.hook_pattern", ["blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern"]),
        ("blocks.*.hook_out", ["blocks.0.hook_out", "blocks.1.hook_out", "blocks.10.hook_out"]),
        ("blocks.?.hook_out", ["blocks.0.hook_out", "blocks.1.hook_out"]),
        ("blocks.0.**", ["blocks.0.attn.hook_out", "blocks.0.attn.hook_pattern", "blocks.0.hook_out"]),
        ("**.hook_out", [name for name in NAMES if name.endswith(".hook_out")]),
    ],
)
def test_patterns(hook: str, expected: list[str]) -> None:
    assert list(matching_names(hook, NAMES)) == expected


@pytest.mark.parametrize("hook", ["blocks.*", "*", "blocks.0.attn.hook_.attern", "hook_embed.", "[h]ook_embed"])
def test_a_star_stays_in_its_part_and_nothing_else_is_special(hook: str) -> None:
    if hook == "*":
        assert matching_names(hook, NAMES) == ("hook_embed",)
        return
    with pytest.raises(Rejected):
        matching_names(hook, NAMES)


def test_near_names_are_listed_once_for_all_layers() -> None:
    with pytest.raises(Rejected, match=r"hook: got 'blocks\.7\.attn\.hook_patern'.*'blocks\.\*\.attn\.hook_pattern'"):
        matching_names("blocks.7.attn.hook_patern", NAMES)


def test_without_a_near_name_some_are_shown() -> None:
    with pytest.raises(Rejected, match=r"there are 5, such as 'blocks\.\*\.attn\.hook_out'"):
        matching_names("xyz", NAMES)


def test_keys_tell_requests_apart() -> None:
    assert ActivationRequest("hook_embed", lambda x, _: x).key("hook_embed") == "hook_embed"
    assert ActivationRequest("hook_embed", lambda x, _: x, label="norm").key("hook_embed") == "hook_embed#norm"
