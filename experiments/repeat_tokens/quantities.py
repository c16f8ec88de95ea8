"""Every quantity that is read off the two halves. A new one is an entry of `QUANTITIES`, and nothing else.

From it come the columns of the records, the metrics with their intervals, the comparisons of pools, the sentence in
details.json that says what an interval is over, and the rows and panels of tables and pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.measure.compare import proportion_difference
from harness.measure.crossed import Crossed, crossed_difference, crossed_interval
from harness.measure.intervals import Interval, Method

Items = Float[np.ndarray, "sequence index"]
"""A value for every token of a half; NaN where nothing was measured."""


@dataclass(frozen=True)
class Predictions:
    """What was predicted in some sequences; `position` counts tokens after BOS, NaN where nothing is predicted."""

    logprob: Float[np.ndarray, "sequence position"]
    rank: Float[np.ndarray, "sequence position"]
    entropy: Float[np.ndarray, "sequence position"]
    correct: Float[np.ndarray, "sequence position"]
    control: Items
    """Log-prob of the second half after another half; NaN where there is no control."""
    shuffled: Items
    """Log-prob of the second half after its own tokens in another order; NaN where that was not measured."""
    foil: Items
    """Log-prob, in the second half, of the token at the same place of the other half, which did not occur; NaN where
    there is no other half."""
    coinciding: Items
    """Log-prob, in the second half, of all tokens together that the model can't tell from the right one."""
    own: Bool[np.ndarray, "sequence index"]
    """Which tokens of a half are the pool's: only they count."""

    @property
    def seq_len(self) -> int:
        """Length of a half."""
        return self.own.shape[1]

    def first(self, values: Float[np.ndarray, "sequence position"]) -> Items:
        """The pool's tokens where they stand first."""
        return self.own_only(values[:, : self.seq_len])

    def second(self, values: Float[np.ndarray, "sequence position"]) -> Items:
        """The pool's tokens where they stand again."""
        return self.own_only(values[:, self.seq_len :])

    def cued(self, values: Float[np.ndarray, "sequence position"]) -> Items:
        """The second half without its first position, which nothing announces."""
        found = self.second(values).copy()
        found[:, 0] = np.nan
        return found

    def own_only(self, values: Items) -> Items:
        """NaN for companions."""
        return np.where(self.own, values, np.nan).astype(np.float64)


@dataclass(frozen=True)
class Observed(Predictions):
    """Predictions with what they are observations of."""

    token_units: Int[np.ndarray, "sequence index"]
    """The lowest id that the model can't tell from the token."""
    pair: Int[np.ndarray, " sequence"]
    """Sequences with the same number share their tokens."""

    def crossed(self, items: Items) -> Crossed:
        """Items with their tokens and sequences."""
        pairs = np.broadcast_to(self.pair[:, None], items.shape)
        return Crossed(items.ravel(), self.token_units.ravel(), pairs.ravel())

    def by_pair(self, items: Items) -> Float[np.ndarray, " pair"]:
        """Mean of every pair of sequences that has a value."""
        means = [items[self.pair == pair] for pair in np.unique(self.pair)]
        return np.array([np.nanmean(rows) for rows in means if not np.isnan(rows).all()], dtype=np.float64)


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
    """One number for every token of a half, and what becomes of it."""

    name: str
    of: Callable[[Predictions], Items]
    label: str = ""
    """What a reader calls it, with its unit."""
    shown: Shown = Shown.NOWHERE
    axis: str = ""
    """Its axis in a picture; empty: `label`."""
    is_share: bool = False
    """Whether its values are 0 or 1, right or wrong."""
    is_median: bool = False
    """Whether it is summed up by the median, which has no interval here (ranks)."""
    is_compared: bool = False
    """Whether pools are compared by it."""
    needs_control: bool = False
    """Whether it stands in a picture only where there is a control."""

    def interval(self, found: Observed) -> Interval | None:
        """Its mean over the pool's tokens; None where it was not measured."""
        items = self.of(found)
        if not self.is_median:
            return crossed_interval(found.crossed(items), self.is_share)
        known = items[~np.isnan(items)]
        return Interval(float(np.median(known)), None, None, len(known), Method.NONE) if len(known) else None

    def difference(self, a: Observed, b: Observed) -> tuple[Interval, float | None] | None:
        """`a` minus `b` with its p-value; a share's interval is Newcombe's. None where either was not measured."""
        found = crossed_difference(a.crossed(self.of(a)), b.crossed(self.of(b)))
        if found is None or not self.is_share:
            return found
        first, second = self.interval(a), self.interval(b)
        assert first is not None and second is not None
        return proportion_difference(first, second), found[1]

    @property
    def interval_is_over(self) -> str:
        """What its interval is over."""
        if self.is_median:
            return "none: a median over the pool's tokens in all sequences"
        method = "Wilson with the effective number of trials" if self.is_share else "Student t"
        return f"{method}, clustered by token and by sequence: tokens of this kind in other random orders"

    @property
    def difference_is_over(self) -> str:
        """What the interval and the test of a difference are over."""
        method = "Newcombe from the pools' Wilson intervals, and t test" if self.is_share else "Welch t"
        return f"{method}, clustered by token and by sequence: a claim about these kinds of tokens"


def known_mean(items: Float[np.ndarray, "..."]) -> float | None:
    """The mean of what was measured; None where nothing was."""
    known = items[~np.isnan(items)]
    return float(known.mean()) if len(known) else None


def _second(name: str) -> Callable[[Predictions], Items]:
    return lambda p: p.second(getattr(p, name))


def _first(name: str) -> Callable[[Predictions], Items]:
    return lambda p: p.first(getattr(p, name))


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "copy_effect",
        lambda p: p.second(p.logprob) - p.own_only(p.control),
        "copy effect (nats)",
        Shown.PICTURE,
        is_compared=True,
        needs_control=True,
    ),
    Quantity(
        "logit_diff",
        lambda p: p.second(p.logprob) - p.own_only(p.foil),
        "logit difference (nats)",
        Shown.PICTURE,
        is_compared=True,
        needs_control=True,
    ),
    Quantity(
        "copy_effect_cued",
        lambda p: p.cued(p.logprob) - p.own_only(p.control),
        "copy effect, cued positions (nats)",
        Shown.TABLE,
        is_compared=True,
    ),
    Quantity(
        "order_effect",
        lambda p: p.second(p.logprob) - p.own_only(p.shuffled),
        "of it by order (nats)",
        Shown.PAPER,
        is_compared=True,
    ),
    Quantity(
        "presence_effect",
        lambda p: p.own_only(p.shuffled) - p.own_only(p.control),
        "of it by presence (nats)",
        Shown.PAPER,
        is_compared=True,
    ),
    Quantity(
        "copy_accuracy",
        _second("correct"),
        "copy accuracy",
        Shown.PICTURE,
        "copy accuracy (top-1)",
        is_share=True,
        is_compared=True,
    ),
    Quantity(
        "copy_accuracy_cued",
        lambda p: p.cued(p.correct),
        "copy accuracy, cued positions",
        Shown.TABLE,
        is_share=True,
        is_compared=True,
    ),
    Quantity("logprob_first_half", _first("logprob"), "log-prob, first half (nats)", Shown.PAPER),
    Quantity("logprob_second_half", _second("logprob"), "log-prob, second half (nats)", Shown.PAPER),
    Quantity(
        "logprob_control", lambda p: p.own_only(p.control), "log-prob, second half after another (nats)", Shown.PAPER
    ),
    Quantity(
        "logprob_shuffled",
        lambda p: p.own_only(p.shuffled),
        "log-prob, second half after it shuffled (nats)",
        Shown.TABLE,
    ),
    Quantity(
        "logprob_coinciding",
        lambda p: p.own_only(p.coinciding),
        "log-prob, second half, with tokens that coincide (nats)",
        Shown.TABLE,
    ),
    Quantity("logprob_foil", lambda p: p.own_only(p.foil)),
    Quantity("logprob_second_half_cued", lambda p: p.cued(p.logprob)),
    Quantity(
        "copy_gain",
        lambda p: p.second(p.logprob) - p.first(p.logprob),
        "copy gain (nats)",
        Shown.PAPER,
        is_compared=True,
    ),
    Quantity(
        "copy_gain_cued",
        lambda p: p.cued(p.logprob) - p.first(p.logprob),
        "copy gain, cued positions (nats)",
        Shown.TABLE,
        is_compared=True,
    ),
    Quantity("rank_first_half", _first("rank"), is_median=True),
    Quantity("rank_second_half", _second("rank"), is_median=True),
    Quantity("entropy_first_half", _first("entropy")),
    Quantity("entropy_second_half", _second("entropy")),
)


def shown_in(place: Shown) -> Sequence[Quantity]:
    """The quantities that a place shows, in order."""
    return [quantity for quantity in QUANTITIES if quantity.shown >= place]
