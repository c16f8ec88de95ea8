"""The command that requests a stored run again."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from harness.runs.config.compose import compose_run
from harness.runs.identity import plain
from harness.runs.results.grouping import flat

# Where a run is kept, shown and tracked, not what it is; published figures come with their pools.
_LEFT_OUT = ("results_dir", "tracker", "cache", "sweep_id", "force", "reference", "exp.name")

_AS_IT_STANDS = re.compile(r"[A-Za-z./][A-Za-z0-9_./:-]*")
_WORDS_WITH_A_MEANING = ("null", "true", "false", "nan", "inf")


def command_of(config: Mapping[str, Any]) -> str:
    """`python -m harness exp=...` with every key of a resolved config that differs from the defaults.

    Raises `Rejected` where the experiment is not found any more.
    """
    name = str(config["exp"]["name"])
    defaults = plain(compose_run([f"exp={name}"]))
    usual = flat({key: value for key, value in defaults.items() if key != "exp_name"})
    wanted = flat(config)
    words = [f"exp={name}"]
    for key, value in wanted.items():
        if _is_left_out(key) or (key in usual and usual[key] == value):
            continue
        words.append(f"{'+' if key not in usual and key.startswith('pools.') else ''}{key}={_spelt(value)}")
    words += [f"~{key}" for key in usual if key.startswith("pools.") and key not in wanted]
    return shlex.join(["python", "-m", "harness", *words])


def _is_left_out(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in _LEFT_OUT)


def _spelt(value: Any) -> str:
    """A value as an override: JSON, but text as it is where Hydra reads it as it stands."""
    if isinstance(value, list):
        return f"[{','.join(_spelt(item) for item in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _AS_IT_STANDS.fullmatch(value) and value.lower() not in _WORDS_WITH_A_MEANING:
        return value
    # Backslashes count only before a quotation mark; a dollar sign would ask for another key's value.
    return "'" + re.sub(r"(\\*)('|$)", _escaped, value).replace("${", "\\${") + "'"


def _escaped(found: re.Match[str]) -> str:
    return 2 * found[1] + ("\\'" if found[2] else "")
