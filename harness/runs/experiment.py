"""What an experiment says of itself before anything is computed; imports nothing heavy, so composing stays fast."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic

from harness.models.identity import ModelIdentity
from harness.runs._subject import Subject
from harness.runs.config.schema import ExpConfig, RunConfig


class Needs(Enum):
    """What an experiment needs the harness to prepare; only that enters the run id and is checked before computing."""

    MODEL = "model"
    TOKENIZER = "tokenizer"
    POOLS = "pools"


class CheckContext(Subject, Generic[ExpConfig]):
    """What is known before any weights are loaded: enough to refuse what cannot work."""

    def __init__(self, config: RunConfig[ExpConfig], subject: Subject) -> None:
        super().__init__(subject._identity, subject._facts, subject._pools, subject._tokenizer, subject._evidence)
        self.config = config

    @property
    def exp(self) -> ExpConfig:
        """The experiment's own parameters."""
        return self.config.exp


def every_pool(config: RunConfig[Any]) -> Collection[str]:
    """All pools of the config."""
    return tuple(config.pools)


def common_pool(_: RunConfig[Any]) -> Collection[str]:
    """The pool `common` alone: tokens that a model should know, for trying a prompt on."""
    return ("common",)


def _no_check(_: CheckContext[Any]) -> None:
    return None


def _no_inputs(_: RunConfig[Any], __: ModelIdentity | None) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Experiment(Generic[ExpConfig]):
    """One question: its name, its parameters, and what it refuses.

    How it is answered (`measure`) and how the answer is shown (`DISPLAY`) stand beside it, and are loaded when needed.
    """

    name: str
    version: int
    """Part of the run id: raise it when the same config gives another answer."""
    summary: str
    """One line for --help."""
    config: type[ExpConfig]
    """The frozen dataclass of `exp.*`."""
    needs: frozenset[Needs] = frozenset({Needs.MODEL, Needs.POOLS})
    pools: Callable[[RunConfig[ExpConfig]], Collection[str]] = every_pool
    """The pools it uses, where it needs any: only they enter the run id and are checked before computing."""
    check: Callable[[CheckContext[ExpConfig]], None] = _no_check
    """Refuse (raise `Rejected`) what cannot work before any weights are loaded."""
    inputs: Callable[[RunConfig[ExpConfig], ModelIdentity | None], Mapping[str, str]] = _no_inputs
    """Fingerprints of what the answer depends on besides config and model (a data set, another run): part of the
    run id. Raises `Rejected` for what is not there."""
