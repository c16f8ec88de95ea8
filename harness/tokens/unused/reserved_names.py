"""Tokens with the names of places kept in reserve: `<unused0>`, `[UNUSED_TOKEN_1]`, `<|reserved_special_token_0|>`."""

import re
from collections.abc import Mapping

# With or without a number: these words say it by themselves.
_PLAIN = r"un_?used|reserved|dummy|place_?holder"
# Only with a number: <extra_id_0>, <SPECIAL_1>, [control_8], <|mask0|>, madeupword0000; <mask> has a job.
_NUMBERED = r"extra|special|control|mask|made_?up_?word|filler|spare"
_MORE = r"(?:_?(?:special|token|tok|id|no|number|slot|word))*"
_RESERVED = re.compile(rf"(?:(?:{_PLAIN}){_MORE}(?:_?\d+)?|(?:{_NUMBERED}){_MORE}_?\d+)")
_BRACKETS = (("<|", "|>"), ("<｜", "｜>"), ("<", ">"), ("[", "]"), (">>", "<<"))


def is_reserved_name(name: str) -> bool:
    """Whether a token's name, brackets and all, is that of a place kept for later."""
    for left, right in _BRACKETS:
        if name.startswith(left) and name.endswith(right) and len(name) > len(left) + len(right):
            inner = name[len(left) : -len(right)].lower()
            return _RESERVED.fullmatch(re.sub(r"[▁\s-]+", "_", inner)) is not None
    return False


def reserved_names(names: Mapping[int, str]) -> tuple[int, ...]:
    """Ids of reserved names, ascending."""
    return tuple(sorted(i for i, name in names.items() if is_reserved_name(name)))
