"""Every quantity that is read off the two halves. A new one is an entry of `QUANTITIES`, and nothing else.

From it come the columns of the records, the metrics with their intervals, the comparisons of pools, the sentence in
details.json that says what an interval is over, and the rows and panels of tables and pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float

from harness.measure.compare import difference, proportion_difference
from harness.measure.intervals import Interval, student_t, wilson_clustered


@dataclass(frozen=True)
class Predictions:
    """What was predicted in some sequences; `position` counts tokens after BOS, NaN where nothing is predicted."""

    logprob: Float[np.ndarray, "sequence position"]
    rank: Float[np.ndarray, "sequence position"]
    entropy: Float[np.ndarray, "sequence position"]
    correct: Float[np.ndarray, "sequence position"]

    @property
    def seq_len(self) -> int:
        """Length of a half."""
        return self.logprob.shape[1] // 2

    @property
    def first(self) -> slice:
        """The first half, without a first position that nothing predicts."""
        return slice(1 if np.isnan(self.logprob[0, 0]) else 0, self.seq_len)

    @property
    def second(self) -> slice:
        """The second half."""
        return slice(self.seq_len, None)

    @property
    def cued(self) -> slice:
        """The second half without its first position, which nothing announces."""
        return slice(self.seq_len + 1, None)


class Shown(IntEnum):
    """Where a quantity is shown to a reader; each place includes those before it."""

    NOWHERE = 0
    """It is in metrics.json and in the records."""
    TABLE = 1
    """The table of one run."""
    PAPER = 2
    """The table across runs."""
    PICTURE = 3
    """A panel of the pictures of copying."""


@dataclass(frozen=True)
class Quantity:
    """One number per sequence, and what becomes of it."""

    name: str
    of: Callable[[Predictions], Float[np.ndarray, " sequence"]]
    label: str = ""
    """What a reader calls it, with its unit."""
    shown: Shown = Shown.NOWHERE
    axis: str = ""
    """Its axis in a picture; empty: `label`."""
    trials: Callable[[Predictions], slice] | None = None
    """The positions that a share of right predictions is over; None: it is no share."""
    is_compared: bool = False
    """Whether pools are compared by it."""

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1, a share of right predictions."""
        return self.trials is not None

    def interval(self, found: Predictions) -> Interval:
        """Its mean over sequences: Student t; Wilson for a share."""
        if self.trials is None:
            return student_t(self.of(found))
        return wilson_clustered(self.of(found), len(range(*self.trials(found).indices(found.correct.shape[1]))))

    def difference(self, a: Predictions, b: Predictions) -> Interval:
        """`a` minus `b`: Welch t; Newcombe for a share."""
        if self.is_share:
            return proportion_difference(self.interval(a), self.interval(b))
        return difference(self.of(a), self.of(b))

    @property
    def interval_is_over(self) -> str:
        """What its interval is over."""
        if not self.is_share:
            return "Student t over sequences: these tokens in other random orders"
        return (
            "Wilson over sequences, each worth as many independent trials as the spread between sequences shows (one"
            " each where all score 0 or all 1)"
        )

    @property
    def difference_is_over(self) -> str:
        """What the interval and the test of a difference are over."""
        method = "Newcombe from the pools' Wilson intervals" if self.is_share else "Welch t"
        return f"{method}, and permutation of pool labels, over sequences: a claim about these very tokens"


def _mean(values: Float[np.ndarray, "sequence position"], part: slice) -> Float[np.ndarray, " sequence"]:
    return values[:, part].mean(axis=1, dtype=np.float64)


def _median(values: Float[np.ndarray, "sequence position"], part: slice) -> Float[np.ndarray, " sequence"]:
    return np.median(values[:, part], axis=1).astype(np.float64)


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("logprob_first_half", lambda p: _mean(p.logprob, p.first), "log-prob, first half (nats)", Shown.PAPER),
    Quantity("logprob_second_half", lambda p: _mean(p.logprob, p.second), "log-prob, second half (nats)", Shown.PAPER),
    Quantity("logprob_second_half_cued", lambda p: _mean(p.logprob, p.cued)),
    Quantity(
        "copy_gain",
        lambda p: _mean(p.logprob, p.second) - _mean(p.logprob, p.first),
        "copy gain (nats)",
        Shown.PICTURE,
        "copy gain: second half − first half (nats)",
        is_compared=True,
    ),
    Quantity(
        "copy_gain_cued",
        lambda p: _mean(p.logprob, p.cued) - _mean(p.logprob, p.first),
        "copy gain, cued positions (nats)",
        Shown.TABLE,
        is_compared=True,
    ),
    Quantity(
        "copy_accuracy",
        lambda p: _mean(p.correct, p.second),
        "copy accuracy",
        Shown.PICTURE,
        "copy accuracy: top-1 on the second half",
        trials=lambda p: p.second,
        is_compared=True,
    ),
    Quantity(
        "copy_accuracy_cued",
        lambda p: _mean(p.correct, p.cued),
        "copy accuracy, cued positions",
        Shown.TABLE,
        trials=lambda p: p.cued,
        is_compared=True,
    ),
    Quantity("rank_first_half", lambda p: _median(p.rank, p.first)),
    Quantity("rank_second_half", lambda p: _median(p.rank, p.second)),
    Quantity("entropy_first_half", lambda p: _mean(p.entropy, p.first)),
    Quantity("entropy_second_half", lambda p: _mean(p.entropy, p.second)),
)


def shown_in(place: Shown) -> Sequence[Quantity]:
    """The quantities that a place shows, in order."""
    return [quantity for quantity in QUANTITIES if quantity.shown >= place]
