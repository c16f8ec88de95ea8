"""From answers to a verdict: which questions tell something about this model, and which tokens fail them.

Two rules. `agreement`: a token is a glitch token if it fails every wording of repetition that counts, in two families
of wordings at least. `published`: if it fails any task that counts, each asked in one wording (Li et al. 2024).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from harness.glitch.census.families import WordingFamily, can_decide
from harness.measure.intervals import Interval, wilson
from harness.tokens.prompts import Task

LEAST_PASS_RATE = 0.9
"""A question tells something about a model's tokens only where the model can answer it: the share of well-known tokens
passed."""


class Verdict(Enum):
    """What is said of a token by agreement."""

    GLITCH = "glitch"
    """Fails every wording that counts, in two families at least."""
    NOT_GLITCH = "not_glitch"
    """Passes one that counts."""
    UNDECIDED = "undecided"
    """Fails every one that counts, but they are of one family: it may be the family's doing."""
    NONE = "no_verdict"
    """No wording that counts could be asked about it."""

    @property
    def as_glitch(self) -> bool | None:
        """True, False, or None where nothing is decided."""
        return {Verdict.GLITCH: True, Verdict.NOT_GLITCH: False}.get(self)


@dataclass(frozen=True)
class Calibration:
    """How well a model answers a question on tokens it knows well. `n` 0: there was nothing to try it on."""

    name: str
    """The task, or the wording."""
    passed: int
    n: int
    where: str
    """Which tokens it was tried on."""
    fits: bool = True
    """Whether prompt and answer fit the model's window."""

    @property
    def interval(self) -> Interval | None:
        """The pass rate with its Wilson interval."""
        return wilson(self.passed, self.n) if self.n else None

    @property
    def is_informative(self) -> bool:
        """Whether the question takes part in verdicts on this model."""
        return self.n > 0 and self.passed / self.n >= LEAST_PASS_RATE

    def sentence(self) -> str:
        """The calibration in words."""
        name = self.name
        if not self.fits:
            return f"{name} is uninformative for this model: its prompt does not fit the window"
        if not self.n:
            return f"{name} is uninformative for this model: there was no common token to try it on"
        rate = self.interval
        assert rate is not None
        ends = f" [{rate.low:.2f}, {rate.high:.2f}]" if rate.low is not None and rate.high is not None else ""
        counted = f"{self.passed} of {self.n} tokens passed ({rate.mean:.2f}{ends}; {self.where})"
        if self.is_informative:
            return f"{name} is informative for this model: {counted}"
        return f"{name} is uninformative for this model: {counted}, needed: {LEAST_PASS_RATE}"


def is_glitch(passed: Mapping[Task, bool | None], informative: Iterable[Task]) -> bool | None:
    """Whether a token fails any informative task; None where it was prompted for in none."""
    results = [passed[task] for task in informative if passed.get(task) is not None]
    return None if not results else not all(results)


def agree(passed: Mapping[WordingFamily, Iterable[bool]]) -> Verdict:
    """The verdict from what a token passed, by family, of the wordings that count and were asked about it.

    Wordings may be left out only where another is passed.
    """
    asked = {family: results for family, some in passed.items() if (results := list(some))}
    if not asked:
        return Verdict.NONE
    if any(any(results) for results in asked.values()):
        return Verdict.NOT_GLITCH
    return Verdict.GLITCH if can_decide(asked) else Verdict.UNDECIDED
