"""What a person types after `python -m harness`, checked and made ready for Hydra."""

import re
from collections.abc import Callable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, OverrideType, QuotedString
from hydra.errors import HydraException

from harness.errors import Rejected, nearest

GROUPS = ("exp", "model", "pools", "sweep", "tracker")
# Known keys of the common config; an experiment's own lie below `exp.`, which is checked once its dataclass is known.
TOP_LEVEL = ("exp", "model", "pools", "tokenizer", "tracker", "cache", "seed", "force", "results_dir", "reference")


def normalise(overrides: Sequence[str]) -> list[str]:
    """Overrides in the form Hydra takes: a value may be given for any key of the typed schema, without a plus sign.

    conf/ holds no defaults that a dataclass states, so Hydra does not know `exp.seq_len` and would ask for `+`. Keys
    below `pools.` keep Hydra's rule: one more pool needs a plus, so that a mistyped name adds no pool by accident.
    Raises `Rejected` for what cannot be parsed.
    """
    seen: dict[str, str] = {}
    for text in overrides:
        key = _key_of(text)[0]
        if seen.get(key, text) != text:
            raise Rejected(f"{seen[key]} and {text} contradict each other: give one of them")
        seen[key] = text
    return [_normalise_one(text) for text in overrides]


def _normalise_one(text: str) -> str:
    key, plus = _key_of(text)
    if plus or key in GROUPS or key.startswith(("hydra", "pools.")) or text.startswith("~") or "@" in key or "/" in key:
        return text
    top = key.split(".")[0]
    if top not in TOP_LEVEL:
        near = nearest(top, TOP_LEVEL)
        hint = f"; did you mean {near}?" if near else ""
        raise Rejected(f"{key}: no such key, allowed: {', '.join(TOP_LEVEL)}{hint}")
    return "++" + text


def _key_of(text: str) -> tuple[str, bool]:

    if "=" not in text and not text.startswith("~"):
        raise Rejected(f"{text!r}: expected key=value, e.g. exp=repeat_tokens or seed=1")
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        reason = re.sub(r"\s+", " ", str(error).split("\nSee ")[0]).strip()
        raise Rejected(
            f"{text!r} cannot be parsed: {reason}; quote a value with special characters, e.g. 'key=\"a=b\"'"
        ) from None
    return override.key_or_group, override.type in (OverrideType.ADD, OverrideType.FORCE_ADD)


def odd_choices(overrides: Sequence[str]) -> list[tuple[str, str]]:
    """Groups that were given something that is no name (`model=null`, `pools=5`), and what was typed."""
    parsed = ((OverridesParser.create().parse_override(text), text) for text in overrides)
    return [
        (override.key_or_group, text.split("=", 1)[1])
        for override, text in parsed
        if override.key_or_group in GROUPS
        and not (override.is_sweep_override() or override.is_delete())
        and not isinstance(override.value(), str | QuotedString | list)
    ]


def keep_texts(overrides: Sequence[str], is_text: Callable[[str, type], bool]) -> list[str]:
    """Overrides with values quoted that are meant as text and that Hydra would take for a number or a truth value, or
    cut spaces off.

    `is_text(key, kind)` tells whether the key holds text and nothing of that kind: `model.revision=5e10` is a commit,
    `exp.token=true` a word.
    """
    kept = []
    for text in overrides:
        override = OverridesParser.create().parse_override(text)
        value = None if override.is_delete() else override.value()

        def quoted(raw: str, value: object, key: str = override.key_or_group) -> str:
            if isinstance(value, bool | int | float):
                return f"'{raw}'" if is_text(key, type(value)) else raw
            # ` the` and `the` are two tokens; Hydra cuts off what is not quoted.
            is_spaced = isinstance(value, str) and raw != raw.strip() and is_text(key, bool)
            return "'" + raw.replace("\\", "\\\\").replace("'", "\\'") + "'" if is_spaced else raw

        key, _, raw = text.partition("=")
        if isinstance(value, ChoiceSweep):
            # Of several values each may be one.
            raws = _between_commas(raw.strip().removeprefix("choice(").removesuffix(")") if "choice(" in raw else raw)
            if len(raws) == len(value.list):
                text = f"{key}={','.join(map(quoted, raws, value.list))}"
        elif value is not None:
            text = f"{key}={quoted(raw, value)}"
        kept.append(text)
    return kept


def _between_commas(raw: str) -> list[str]:
    """The values of a list as they were typed; commas within quotes and brackets separate none."""
    found, depth, quote, escaped = [""], 0, "", False
    for letter in raw:
        if letter == "," and not depth and not quote:
            found.append("")
            continue
        found[-1] += letter
        if quote:
            quote, escaped = ("" if letter == quote and not escaped else quote), letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in "[{(") - (letter in "]})")
    return [part.strip() for part in found]


def is_sweep(text: str) -> bool:
    """Whether one override requests several values (`seed=0,1,2`)."""

    return bool(OverridesParser.create().parse_override(text).is_sweep_override())


def refuse_stray_sweeps(overrides: Sequence[str]) -> None:
    """Without -m, several values for one key are a mistake that must not run as one job."""
    for text in overrides:
        if is_sweep(text):
            raise Rejected(f"{text.lstrip('+')}: several values make a sweep; add -m (python -m harness -m ...)")
