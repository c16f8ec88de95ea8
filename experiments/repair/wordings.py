"""Which wordings count for this model, which of them a method may see, and the second way of asking in each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.repair.config import RepairConfig
from harness.glitch.census.calibration import CALIBRATION_STREAM, Trial, counting, known_for, trial_of
from harness.glitch.census.families import can_decide
from harness.glitch.census.ladder import Ladder, WordingAnswers
from harness.glitch.census.wordings import Wording
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Run

_AGAIN = "_again"
_IN_FRONT = "\n"
"""What the second way puts in front of a prompt: all positions move by one, the words stay."""


def second_way(wording: Wording) -> Wording:
    """The same words after a line break; copying is asked a second way by other sequences."""
    if wording.question is None:
        return wording
    return replace(wording, name=f"{wording.name}{_AGAIN}", question=wording.question.after(_IN_FRONT))


def with_second_ways(wordings: Sequence[Wording]) -> tuple[Wording, ...]:
    """All of them, and those second ways that are wordings of their own."""
    return (*wordings, *(second_way(wording) for wording in wordings if wording.question is not None))


@dataclass(frozen=True, eq=False)
class Wordings:
    """Those that count both ways, the cheapest first."""

    fitting: tuple[Wording, ...]
    """What a method may see."""
    held_out: tuple[Wording, ...]
    """What it is measured by."""
    trials: tuple[Trial, ...]

    @property
    def all(self) -> tuple[Wording, ...]:
        """What a glitch token fails."""
        return (*self.fitting, *self.held_out)

    @property
    def can_decide(self) -> bool:
        """Whether a glitch token can be told, and there is something to measure by."""
        return bool(self.held_out) and can_decide({wording.family for wording in self.all})


def choose_wordings(run: Run[RepairConfig], ladder: Ladder, wordings: Sequence[Wording]) -> Wordings:
    """Try each, both ways, on well-known tokens. `wordings`: without their second ways."""
    trials = {wording.name: _try(run, ladder, wording) for wording in ladder.wordings if _is_paid(run, ladder, wording)}
    for trial in trials.values():
        run.note(trial.calibration.sentence())
    first = [trials[wording.name] for wording in wordings if wording.name in trials]
    second = {wording.name: trials.get(second_way(wording).name) for wording in wordings}
    kept = [
        trial for trial in first
        if (other := second[trial.name]) is not None and other.calibration.is_informative
    ]  # fmt: skip
    used = counting(kept)
    return Wordings(
        tuple(wording for wording in used if wording.family in run.exp.fitting),
        tuple(wording for wording in used if wording.family not in run.exp.fitting),
        tuple(trials.values()),
    )


def _is_paid(run: Run[RepairConfig], ladder: Ladder, wording: Wording) -> bool:
    if run.exp.dearest is None or wording.question is None:
        return True
    return ladder.least_positions(wording) <= run.exp.dearest


def _try(run: Run[RepairConfig], ladder: Ladder, wording: Wording) -> Trial:
    known = known_for(ladder, wording, run.organism, run.pools, run.exp.n_calibration, run.seed)
    (arrays,) = compute_batches(
        run,
        [Batch(f"try-{wording.name}", known.ids, len(known.ids))],
        lambda batch: ladder.ask(wording, batch.work, CALIBRATION_STREAM).as_arrays(wording.name),
        no_rows,
        f"trying {wording.name}",
    )
    return trial_of(ladder, wording, WordingAnswers.from_arrays(wording.name, arrays), known.where)
