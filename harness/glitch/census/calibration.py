"""Which tokens a task or a wording is tried on, and how well the model does there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import Ladder, WordingAnswers
from harness.glitch.census.questions import Question
from harness.glitch.census.verdict import Calibration
from harness.glitch.census.wordings import Wording
from harness.organism.organism import Organism
from harness.tokens.pools import Pool, Pools
from harness.tokens.prompts import Task

CALIBRATION_STREAM = 1_000_000
"""Of the sequences that well-known tokens are copied in."""


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
        return Calibration(question.task.value, 0, 0, tokens.where, fits=False)
    answers = interviewer.ask(question, tokens.ids).answers
    return summarise(question.task.value, [answer.judgement.passed for answer in answers], tokens.where)


def summarise(name: str, passed: Sequence[bool], where: str) -> Calibration:
    """The calibration from what passed; `where`: which tokens it was tried on."""
    return Calibration(name, sum(map(bool, passed)), len(passed), where)


@dataclass(frozen=True, eq=False)
class Trial:
    """One wording, tried."""

    wording: Wording
    calibration: Calibration
    answers: WordingAnswers
    n_not_askable: int
    """Testable tokens about which it can't be asked, since a perfect answer would not be told from none."""

    @property
    def name(self) -> str:
        """The wording's."""
        return self.wording.name

    @property
    def positions_per_token(self) -> float:
        """What asking about one token cost, in token positions that went through the model."""
        return self.answers.n_positions / max(1, len(self.answers.ids))


def known_for(
    ladder: Ladder, wording: Wording, organism: Organism | None, pools: Pools | dict[str, Pool], n: int, seed: int
) -> WellKnown:
    """At most `n` well-known tokens that can be asked about in a wording, drawn by `seed`; in order of id."""
    if wording.question is None:
        tokens = well_known(Task.REPETITION, None, pools)
    else:
        tokens = well_known(wording.question.task, organism, pools)
    ids = sorted(set(tokens.ids) & ladder.askable(wording))
    drawn = np.random.default_rng([seed, 6]).permutation(len(ids))[:n]
    return WellKnown(tuple(ids[place] for place in sorted(drawn.tolist())), tokens.where)


def trial_of(ladder: Ladder, wording: Wording, answers: WordingAnswers, where: str) -> Trial:
    """A wording's trial from its answers about well-known tokens."""
    n_not_askable = len(set(ladder.testable_ids) - ladder.askable(wording))
    return Trial(wording, summarise(wording.name, answers.passed.tolist(), where), answers, n_not_askable)


def try_wordings(
    ladder: Ladder, organism: Organism | None, pools: Pools | dict[str, Pool], n: int, seed: int
) -> list[Trial]:
    """Every wording of a ladder on at most `n` well-known tokens, drawn by `seed`."""
    found = []
    for wording in ladder.wordings:
        tokens = known_for(ladder, wording, organism, pools, n, seed)
        found.append(trial_of(ladder, wording, ladder.ask(wording, tokens.ids, CALIBRATION_STREAM), tokens.where))
    return found


def counting(trials: Sequence[Trial]) -> tuple[Wording, ...]:
    """The wordings that count for a model, the cheapest first."""
    kept = sorted((one for one in trials if one.calibration.is_informative), key=lambda one: one.positions_per_token)
    return tuple(trial.wording for trial in kept)
