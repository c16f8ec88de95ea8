"""The settings that runs were requested with, and runs grouped by them, for sweeps and comparisons."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.runs.results.stored_run import StoredRun

FEWEST_SEEDS = 3
"""Of an interval over seeds: with two, Student's is 13 standard errors wide and would hide everything else."""

# Keys that never change a result, or are compared in another way (the model by its weights).
_NOT_COMPARED = ("results_dir", "tracker", "cache", "sweep_id", "force", "reference", "model.name", "model.revision",
              "model.device", "model.device_map", "model.trust_remote_code")  # fmt: skip


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; lists stay whole."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(item, f"{prefix}.{key}" if prefix else str(key))
    return found


def requested(run: StoredRun) -> dict[str, Any]:
    """Every config key that can change the result, dotted."""
    return {
        key: value
        for key, value in flat(run.config).items()
        if not any(key == name or key.startswith(f"{name}.") for name in _NOT_COMPARED)
    }


def model_key(run: StoredRun) -> str:
    """Which weights a run used, regardless of their path."""
    model = run.manifest.get("model") or {}
    return str(model.get("weights_sha256") or f"{model.get('name', '')}@{model.get('revision', '')}")


def pools_text(run: StoredRun) -> str:
    """The pools of a run as they are written on the command line: `unused=177:188 common=100:111`."""
    return " ".join(f"{name}={_short(spec)}" for name, spec in (run.config.get("pools") or {}).items())


def _short(value: Any) -> str:
    return "[" + ",".join(str(item) for item in value) + "]" if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True)
class Setting:
    """Runs that differ only by their seed."""

    model: str
    pools: str
    other: str
    """What else distinguishes this setting from the others, e.g. `exp.seq_len=50`; mostly empty."""
    runs: tuple[StoredRun, ...]

    @property
    def label(self) -> str:
        """The setting on one line."""
        return ", ".join(part for part in (self.model, self.pools, self.other) if part)

    @property
    def seeds(self) -> list[int]:
        """The seeds, in order."""
        return [int(run.config.get("seed", 0)) for run in self.runs]


def group_by_setting(runs: Sequence[StoredRun]) -> list[Setting]:
    """Runs grouped by every requested value but the seed, in a stable order."""
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        key = {name: value for name, value in requested(run).items() if name != "seed"}
        groups.setdefault(json.dumps([model_key(run), key], sort_keys=True, default=str), []).append(run)
    varying = _varying([members[0] for members in groups.values()])
    labels = _model_labels([members[0] for members in groups.values()])
    found = []
    for members in groups.values():
        members = sorted(members, key=lambda run: (int(run.config.get("seed", 0)), run.run_id))
        values = requested(members[0])
        other = " ".join(f"{key}={_short(values[key])}" for key in varying if values.get(key) is not None)
        found.append(Setting(labels[model_key(members[0])], pools_text(members[0]), other, tuple(members)))
    return sorted(found, key=lambda setting: (setting.model, setting.other, setting.pools))


def _varying(runs: Sequence[StoredRun]) -> list[str]:
    """Keys, besides pools and seed, that do not have one value in all these runs."""
    seen: dict[str, set[str]] = {}
    configs = [requested(run) for run in runs]
    for key in sorted(set().union(*configs)) if configs else ():
        seen[key] = {json.dumps(config.get(key), default=str) for config in configs}
    return [key for key, values in seen.items() if len(values) > 1 and not key.startswith("pools") and key != "seed"]


def _model_labels(runs: Sequence[StoredRun]) -> dict[str, str]:
    """A name for every model, with some of the weights' hash where two share one."""
    names = {model_key(run): run.model for run in runs}
    counted = list(names.values())
    return {key: f"{name} ({key[:6]})" if counted.count(name) > 1 else name for key, name in names.items()}


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Keys whose values differ, with both; a missing one is None."""
    for key in sorted({*a, *b}):
        if a.get(key) != b.get(key):
            yield key, a.get(key), b.get(key)
