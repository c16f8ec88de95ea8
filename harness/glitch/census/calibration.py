"""Which tokens a task is tried on, and how well the model does there."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question
from harness.glitch.census.verdict import Calibration
from harness.organism.organism import Organism
from harness.tokens.pools import Pool, Pools
from harness.tokens.prompts import Task


@dataclass(frozen=True)
class WellKnown:
    """Tokens that the model knows well enough for a task to be tried on."""

    ids: tuple[int, ...]
    where: str


def well_known(task: Task, organism: Organism | None, pools: Pools | dict[str, Pool]) -> WellKnown:
    """Tokens shown often and held out of the task's training, where that is known; else the pool `common`."""
    if organism is not None and organism.held_out.get(task.value):
        return WellKnown(organism.held_out[task.value], "tokens shown often, held out of this task's training")
    pool = pools.get("common")
    if pool is None:
        return WellKnown((), "no pool named common")
    return WellKnown(pool.ids, f"pool common: {pool.label}")


def calibrate(interviewer: Interviewer, question: Question, tokens: WellKnown) -> Calibration:
    """Try a task on well-known tokens; a prompt that does not fit the window is not tried."""
    if not interviewer.fits(question):
        return Calibration(question.task, 0, 0, tokens.where, fits=False)
    answers = interviewer.ask(question, tokens.ids).answers
    return summarise(question.task, [answer.judgement.passed for answer in answers], tokens)


def summarise(task: Task, passed: Sequence[bool], tokens: WellKnown) -> Calibration:
    """The calibration from what passed."""
    return Calibration(task, sum(map(bool, passed)), len(passed), tokens.where)
