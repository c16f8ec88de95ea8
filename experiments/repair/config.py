"""The parameters of exp=repair, and what it refuses."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from harness.constraints import Count, Probability, must_be
from harness.errors import FieldRejected
from harness.glitch.census.families import WordingFamily
from harness.glitch.census.rules import wording_inputs
from harness.glitch.census.stored import census_inputs
from harness.glitch.repair.choices import METHODS, NOT_STORED, UNTOUCHED, GradientSettings, ProberSettings
from harness.models.answers.requirements import require_plain_weights
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs, common_pool
from harness.tokens.prompts.rules import BosRule, ChatRule


def _each_once(families: tuple[WordingFamily, ...]) -> bool:
    return 0 < len(families) == len(set(families)) < len(WordingFamily)


@dataclass(frozen=True)
class RepairConfig:
    """Parameters of `exp=repair`."""

    method: Annotated[str, must_be(", ".join(METHODS), lambda name: name in METHODS)] | None = None
    """One method, beside the untouched model; default: every method is measured."""
    out: Path | None = None
    """Folder for the mended checkpoint, with `exp.method`."""
    token_ids: tuple[int, ...] = ()
    """Tokens that may be glitch tokens; those that are, asked in this run, are mended. Default: of a census."""
    census: Path | None = None
    """Folder of a finished census; default: the newest of this model below results_dir, if there is one."""
    n_searched: Count = 1024
    """Without ids and without a census, so many random tokens are asked to find some."""
    n_tokens: Count | None = None
    """At most so many glitch tokens are mended, drawn by `seed`; default: all that are found."""
    fitting: Annotated[tuple[WordingFamily, ...], must_be("one or two families, each once", _each_once)] = (
        WordingFamily.COPIED,
    )
    """Families of wordings that a method may see; it is measured on the others."""
    fitting_share: Probability = 0.25
    """Of the glitch tokens, this share may choose settings; a method is measured on the others."""
    n_healthy: Count = 400
    """Healthy tokens that are asked before and after."""
    n_calibration: Count = 64
    """Each wording is tried on at most so many well-known tokens first."""
    dearest: Count | None = None
    """Wordings whose prompts hold more token positions from the token on are left out; default: none is."""
    text: Path | None = None
    """A text for the perplexity, its paragraphs taken as documents; default: docstrings that no organism has seen."""
    n_text_tokens: Count = 4096
    """At most so many tokens of it, documents drawn by `seed`."""
    n_copied: Count = 96
    """Healthy tokens whose copy effect is measured."""
    gradient: GradientSettings = field(default_factory=GradientSettings)
    """Settings of the method `gradient`."""
    glitchprober: ProberSettings = field(default_factory=ProberSettings)
    """Settings of the methods `glitchprober_*`."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: Count | None = None
    """Prompts per pass; default: from memory."""

    def __post_init__(self) -> None:
        if self.out is not None and (self.method is None or self.method in NOT_STORED):
            allowed = "with exp.method= one of " + ", ".join(name for name in METHODS if name not in NOT_STORED)
            raise FieldRejected.key("out", str(self.out), allowed)

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that are measured, the untouched model first."""
        if self.method is None:
            return METHODS
        return tuple(dict.fromkeys((UNTOUCHED, self.method)))


def inputs(config: RunConfig[RepairConfig], identity: ModelIdentity | None) -> Mapping[str, str]:
    """The rule and the wordings of verdicts, the census that tokens are from, and the text."""
    exp = config.exp
    found = {"text": f"Python {platform.python_version()}"} if exp.text is None else {"text": _digest(exp.text)}
    found |= wording_inputs()
    return found if exp.token_ids else found | census_inputs(exp.census, config.results_dir, identity)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FieldRejected.key("text", str(path), "a text file that can be read") from error


def check(context: CheckContext[RepairConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""
    require_plain_weights(context.config.model)
    exp, facts = context.exp, context.facts
    beyond = [token for token in exp.token_ids if not 0 <= token < facts.d_vocab]
    if beyond:
        raise FieldRejected.key("token_ids", beyond[0], f"ids from 0 to {facts.d_vocab - 1}")
    if exp.token_ids and facts.special_ids.issuperset(exp.token_ids):
        raise FieldRejected.key("token_ids", list(exp.token_ids), "at least one token that is not special")
    if exp.out is not None and exp.out.exists() and (not exp.out.is_dir() or any(exp.out.iterdir())):
        raise FieldRejected.key("out", str(exp.out), "a folder that is empty or not there yet")


EXPERIMENT = Experiment(
    name="repair",
    version=1,
    summary="Glitch tokens mended without retraining, by every method: what is repaired, what is harmed.",
    config=RepairConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=common_pool,
    check=check,
    inputs=inputs,
)
