"""From overrides to a `RunConfig`: Hydra composes, the typed schema checks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from harness.errors import Rejected, nearest
from harness.runs import registry
from harness.runs.config import overrides as typed_overrides
from harness.runs.config._unquoted_slices import unquoted_slices
from harness.runs.config.schema import Reference, RunConfig
from harness.runs.config.typed import accepts, hint_of, to_dataclass

CONF = registry.PROJECT / "conf"


def search_path_override() -> list[str]:
    """The Hydra override that adds the conf folders of experiments outside the project."""
    outside = [
        folder / "conf"
        for folder in registry.search_folders()
        if folder != registry.PROJECT and (folder / "conf").is_dir()
    ]
    return [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in outside)}]"] if outside else []


def declare_experiments() -> None:
    """Let Hydra know every experiment by its name; a file conf/exp/NAME.yaml, where there is one, wins."""
    for name in registry.names().keys() - set(registry.options("exp")):
        ConfigStore.instance().store(name=name, group="exp", node={"name": name}, provider="harness")


def compose_hydra(overrides: Sequence[str], return_hydra_config: bool = False) -> DictConfig:
    """The composed but untyped config. Raises `Rejected` for every mistake Hydra finds, as one line."""

    declare_experiments()
    normalised = [*search_path_override(), *keep_texts(typed_overrides.normalise(overrides))]
    normalised += unquoted_slices(overrides, registry.search_folders())
    for group, got in typed_overrides.odd_choices(overrides):
        raise _unknown_option(group, got)
    return _compose(normalised, return_hydra_config)


def _compose(normalised: list[str], return_hydra_config: bool = False) -> DictConfig:
    try:
        with _beside_a_sweep(), initialize_config_dir(str(CONF), version_base="1.3", job_name="harness"):
            return compose("config", overrides=normalised, return_hydra_config=return_hydra_config)
    except (HydraException, OmegaConfBaseException) as error:
        raise _one_line(error) from None
    except YAMLError as error:
        raise Rejected(f"a file below conf/ is not readable YAML: {' '.join(str(error).split())}") from None


@contextmanager
def _beside_a_sweep() -> Iterator[None]:
    """Hydra is one of a kind in a process: in a job of a sweep the sweep's is put away meanwhile."""
    of_the_sweep = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        yield
    finally:
        # Asked for anew: Hydra has put another instance in place.
        GlobalHydra.instance().hydra = of_the_sweep


def keep_texts(overrides: Sequence[str]) -> list[str]:
    """Overrides of keys that hold text, quoted where Hydra would read something else; the experiment's keys, too."""
    choices = {text.partition("=")[0]: text for text in overrides if text.partition("=")[0] in ("exp", "sweep")}
    if "exp" in choices or "sweep" not in choices:
        chosen = choices.get("exp", "=").partition("=")[2]
    else:
        chosen = _experiment_of_sweep(choices["sweep"], tuple(search_path_override()))

    def is_text(key: str, kind: type) -> bool:
        below_exp = key.startswith("exp.")
        if below_exp and chosen not in registry.names():
            return False
        hint = hint_of(registry.load(chosen).config, key.removeprefix("exp.")) if below_exp else hint_of(RunConfig, key)
        return accepts(hint, str) and not accepts(hint, kind)

    return typed_overrides.keep_texts(overrides, is_text)


@cache
def _experiment_of_sweep(sweep: str, search_path: tuple[str, ...]) -> str:
    """The experiment that a sweep file chooses; empty where it names none. Read once: every job of a sweep asks."""
    declare_experiments()
    name = OmegaConf.select(_compose([*search_path, sweep]), "exp.name")
    return name if isinstance(name, str) else ""


def compose_run(overrides: Sequence[str]) -> RunConfig:
    """The typed config of one run."""
    normalised = typed_overrides.normalise(overrides)
    typed_overrides.refuse_stray_sweeps(normalised)
    return to_run_config(compose_hydra(overrides))


def to_run_config(composed: DictConfig) -> RunConfig:
    """The typed config of a composed one; an experiment's parameters become its own frozen dataclass."""

    try:
        values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise _one_line(error) from None
    assert isinstance(values, dict)
    plain = {str(key): value for key, value in values.items() if key not in ("hydra", "sweep")}
    exp = plain.pop("exp", None)
    if not isinstance(exp, Mapping) or "name" not in exp:
        raise Rejected(f"exp: missing; choose one with exp=NAME: {', '.join(registry.names())}")
    experiment = registry.load(str(exp["name"]))
    parameters = {key: value for key, value in exp.items() if key != "name"}
    typed_exp: Any = to_dataclass(experiment.config, parameters, "exp.")
    plain["results_dir"] = str(Path(str(plain.get("results_dir", "results"))).expanduser().absolute())
    _refuse_odd_pools(plain.get("pools"))
    common = to_dataclass(RunConfig, {**plain, "exp_name": experiment.name, "exp": typed_exp})
    return _replace(common, exp=typed_exp, reference=_matching_reference(common))


def _replace(config: RunConfig, **changes: Any) -> RunConfig:
    return RunConfig(**{**{field.name: getattr(config, field.name) for field in fields(config)}, **changes})


def _refuse_odd_pools(pools: Any) -> None:
    allowed = (
        "a slice '177:188', ids [5,7,9], or a rule: auto, byte_unused, no_token, reserved_names, unused_special, "
        "unreachable, coinciding_rows, exposures:0:1, natural:0:1, planted:256, early_merges, high_scores, low_ids, "
        "common_part:1:2, all"
    )
    if not isinstance(pools, Mapping):
        raise Rejected.key("pools", pools, f"named pools, each {allowed}")
    for name, spec in pools.items():
        if isinstance(spec, list) and all(isinstance(item, int) and not isinstance(item, bool) for item in spec):
            continue
        if not isinstance(spec, str):
            raise Rejected.key(f"pools.{name}", spec, allowed)


def _matching_reference(config: RunConfig) -> Reference | None:
    """Published figures of those pools that still are the published ones; a changed pool has no reference."""
    reference = config.reference
    if reference is None:
        return None
    same = {name for name, spec in reference.pools.items() if config.pools.get(name) == spec}
    kept = {key: value for key, value in reference.metrics.items() if key.split("/")[0] in same}
    if not kept and not same & set(reference.bytes):
        return None
    return replace(reference, metrics=kept, bytes={k: v for k, v in reference.bytes.items() if k in same})


def _one_line(error: Exception) -> Rejected:
    text = str(error)
    missing = re.search(r"Could not find '([^'/]+)/([^']+)'", text)
    if missing:
        return _unknown_option(missing.group(1), missing.group(2))
    pool = re.search(r"Could not override 'pools\.([^']+)'", text)
    if pool:
        name = pool.group(1)
        return Rejected(f"pools.{name}: no such pool here; to add one write +pools.{name}=...")
    first = re.sub(r"\s+", " ", text.split("\nSet the environment")[0]).strip()
    return Rejected(first)


def _unknown_option(group: str, got: str) -> Rejected:
    if group == "exp":
        try:
            # A file that is there and declares nothing says what is wrong with it.
            registry.load(got)
        except Rejected as error:
            return error
        return registry.unknown(got)
    options = registry.options(group)
    near = nearest(got, options)
    more = "; any other: model.name=<hub name or local folder>" if group == "model" else ""
    hint = f"; did you mean {near}?" if near else ""
    return Rejected(f"{group}: got {got!r}, allowed: {', '.join(options)}{more}{hint}")
