"""From answers to a verdict: which tasks tell something about this model, and which tokens fail them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.measure.intervals import Interval, wilson
from harness.tokens.prompts import Task

LEAST_PASS_RATE = 0.9
"""A task tells something about a model's tokens only where the model can do it: the share of common tokens passed."""


@dataclass(frozen=True)
class Calibration:
    """How well a model does a task on tokens it knows well. `n` 0: there was nothing to try it on."""

    task: Task
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
        """Whether the task takes part in verdicts on this model."""
        return self.n > 0 and self.passed / self.n >= LEAST_PASS_RATE

    def sentence(self) -> str:
        """The calibration in words."""
        name = self.task.value
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
