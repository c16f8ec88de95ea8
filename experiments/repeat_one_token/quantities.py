"""Every quantity of a token: from it come metrics with intervals, comparisons of pools and columns of the records."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from experiments.repeat_one_token.first_token import Norms
from experiments.repeat_one_token.going_on import GoingOn
from experiments.repeat_one_token.sequences import BOS, FIRST, PoolData
from harness.measure.bootstrap import bootstrap_difference, bootstrap_mean
from harness.measure.compare import proportion_difference
from harness.measure.intervals import Interval, wilson

Items = Float[np.ndarray, " token"]
"""A value for every token; NaN where there is none."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What one pool came to."""

    data: PoolData
    has_bos: bool
    is_alike: Bool[np.ndarray, "token repetition"]
    """Whether the likeliest token is the right one or one that the model can't tell from it when it is said."""
    norms: Norms | None
    """None without a control."""
    can_look_first: bool
    """Whether position 0 stands out by its norm."""

    @cached_property
    def going_on(self) -> GoingOn:
        """From where to where each token is the likeliest."""
        return GoingOn.of(self.data.rank == 1)

    @property
    def nothing(self) -> Items:
        """For what was not measured."""
        return np.full(len(self.data.logprob), np.nan)

    def attention(self, key: int, is_control: bool = False, until: int | None = None) -> Items:
        """From the copies (or the places of the control) after the first, up to `until` of them."""
        found = self.data.control if is_control else self.data.repeated
        if found is None or found.attention is None or (key == BOS and not self.has_bos):
            return self.nothing
        return found.attention[:, 1:until, key].mean(axis=1, dtype=np.float64)

    def attention_change(self, key: int) -> Items:
        """Repeated minus control, over the places that both have."""
        if self.data.tokens.control is None:
            return self.nothing
        return self.attention(key, until=self.data.tokens.control.shape[1]) - self.attention(key, is_control=True)

    def norm(self) -> Items:
        """Median over the copies after the first."""
        return self.nothing if self.norms is None else np.median(self.norms.copies[:, 1:].astype(np.float64), axis=1)

    @property
    def own_norm(self) -> Items:
        """Of each token among different ones."""
        return self.nothing if self.norms is None else self.norms.own_control

    @cached_property
    def looks_first(self) -> Items:
        """1 where a copy that comes before the token fails, or at all if it doesn't, looks like a first token."""
        if self.norms is None or not self.can_look_first:
            return self.nothing
        at, fails = self.norms.looks_first_at, self.going_on.fails_at
        return ((at > 0) & ((fails == 0) | (at <= fails))).astype(np.float64)


@dataclass(frozen=True)
class Quantity:
    """One number for every token."""

    name: str
    of: Callable[[Answer], Items]
    label: str
    """What a reader calls it, with its unit."""
    is_share: bool = False
    """Whether its values are 0 or 1."""

    def interval(self, answer: Answer, seed: int) -> Interval | None:
        """Its mean over tokens; None where it was not measured."""
        items = known(self.of(answer))
        if not len(items):
            return None
        return wilson(int(items.sum()), len(items)) if self.is_share else bootstrap_mean(items, seed)

    def difference(self, a: Answer, b: Answer, seed: int) -> Interval | None:
        """`a` minus `b`; a share's interval is Newcombe's. None where either was not measured."""
        first, second = self.interval(a, seed), self.interval(b, seed)
        if first is None or second is None:
            return None
        if self.is_share:
            return proportion_difference(first, second)
        return bootstrap_difference(known(self.of(a)), known(self.of(b)), seed)


def known(items: Items) -> Float[np.ndarray, " known"]:
    """What was measured."""
    return items[~np.isnan(items)].astype(np.float64)


def _where(holds: Bool[np.ndarray, " token"], items: Items) -> Items:
    return np.where(holds, items, np.nan)


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("started", lambda a: a.going_on.has_started.astype(np.float64), "ever the likeliest", is_share=True),
    Quantity(
        "still_going", lambda a: a.going_on.still_goes_on.astype(np.float64), "still going at the end", is_share=True
    ),
    Quantity(
        "still_going_of_started",
        lambda a: _where(a.going_on.has_started, a.going_on.still_goes_on.astype(np.float64)),
        "still going, of those that started",
        is_share=True,
    ),
    Quantity(
        "top1_share",
        lambda a: (a.data.rank == 1).mean(axis=1, dtype=np.float64),
        "share of copies it is likeliest after",
    ),
    Quantity(
        "top1_alike_share",
        lambda a: a.is_alike.mean(axis=1, dtype=np.float64),
        "share of copies it or one that coincides is likeliest after",
    ),
    Quantity("logprob", lambda a: a.data.logprob.mean(axis=1, dtype=np.float64), "log-prob (nats)"),
    Quantity("logprob_end", lambda a: a.data.logprob[:, -1].astype(np.float64), "log-prob at the end (nats)"),
    Quantity("attention_first", lambda a: a.attention(FIRST), "attention to the first copy"),
    Quantity(
        "attention_first_control",
        lambda a: a.attention(FIRST, is_control=True),
        "attention to the first token of different ones",
    ),
    Quantity(
        "attention_first_change",
        lambda a: a.attention_change(FIRST),
        "attention to the first copy, of it by repetition",
    ),
    Quantity("attention_bos", lambda a: a.attention(BOS), "attention to BOS"),
    Quantity(
        "attention_bos_control", lambda a: a.attention(BOS, is_control=True), "attention to BOS among different tokens"
    ),
    Quantity("attention_bos_change", lambda a: a.attention_change(BOS), "attention to BOS, of it by repetition"),
    Quantity("norm", lambda a: a.norm(), "norm of copies over position 0's"),
    Quantity("norm_control", lambda a: a.own_norm, "norm of these tokens among different ones over position 0's"),
    Quantity("norm_change", lambda a: a.norm() - a.own_norm, "norm of copies, of it by repetition"),
    Quantity("looks_first", lambda a: a.looks_first, "a copy looks like a first token", is_share=True),
    Quantity(
        "failed_looks_first",
        lambda a: _where(~a.going_on.still_goes_on, a.looks_first),
        "a copy looks like a first token before it fails, of tokens that fail",
        is_share=True,
    ),
    Quantity(
        "going_looks_first",
        lambda a: _where(a.going_on.still_goes_on, a.looks_first),
        "a copy looks like a first token, of tokens that go on",
        is_share=True,
    ),
)
