"""How a query is put to a model: its wordings, what they say together, what it costs.

A query asks in the cheapest wording that counts and, where the token fails it, in the cheapest of another family.
Copying is that other family only where all wordings with words that count are of one; where it does not count either,
the next cheapest is asked. A second look at a token that failed asks in the others that are not too dear, and never
copies: one token by itself would need whole sequences.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.glitch.census.calibration import Trial, counting
from harness.glitch.census.families import WordingFamily, can_decide
from harness.glitch.census.ladder import Ladder, WordingAnswers
from harness.glitch.census.wordings import Wording
from harness.glitch.detectors.price import QueryPrice

N_ASKED = 2
"""Wordings of a query."""
DEAREST_LOOK = 4
"""Times the price of the first wording: what a second look asks in costs no more."""


@dataclass(frozen=True, eq=False)
class Query:
    """What was found out about asking a model, before its tokens are asked."""

    wordings: tuple[Wording, ...]
    """The first and the second; none: no wording counts, and nothing can be said about this model's tokens."""
    further: tuple[Wording, ...]
    """Those of a second look, the cheapest first."""
    price: QueryPrice
    trials: tuple[Trial, ...]
    """In the order they were made."""

    @property
    def n_positions(self) -> int:
        """Token positions that went through the model for trying."""
        return sum(trial.answers.n_positions for trial in self.trials)


def order_of_asking(cheapest_first: Sequence[Wording]) -> tuple[Wording, ...]:
    """The cheapest wording with words, the cheapest of another family, and the rest by price."""
    if not cheapest_first:
        return ()
    first = next((one for one in cheapest_first if not _copies(one)), cheapest_first[0])
    rest = [wording for wording in cheapest_first if wording is not first]
    second = [wording for wording in rest if wording.family is not first.family][:1]
    return (first, *second, *(wording for wording in rest if wording not in second))


def fails_and_margins(
    ids: Int[np.ndarray, " token"], parts: Iterable[WordingAnswers]
) -> tuple[Bool[np.ndarray, " token"], Float[np.ndarray, " token"]]:
    """Whether each of `ids` (ascending) passed in none of these answers, and the better of its margins (NaN: none);
    answers about other tokens are left aside."""
    fails, margin = np.ones(len(ids), dtype=bool), np.full(len(ids), np.nan)
    for part in parts:
        is_known = np.isin(part.ids, ids)
        where = np.searchsorted(ids, part.ids[is_known])
        fails[where[part.passed[is_known]]] = False
        margin[where] = np.fmax(margin[where], part.margin[is_known])
    return fails, margin


def find_query(ladder: Ladder, try_on_known: Callable[[Wording], Trial], looks_again: bool = False) -> Query:
    """The wordings of a query, and of second looks if the detector takes them, trying no more of the ladder than that
    takes; the beginnings of a query's wordings are kept.

    The result is that of trying all: one is left out only where what its prompts alone cost is more than the wordings
    found so far, or than a second look may cost. Copying is tried where it is needed as a second family.
    """
    with_words = [wording for wording in ladder.wordings if not _copies(wording)]
    at_least = {wording.name: ladder.least_positions(wording) for wording in with_words}
    trials: list[Trial] = []
    for wording in sorted(with_words, key=lambda one: at_least[one.name]):
        if _can_be_asked_sooner(wording, at_least[wording.name], trials):
            trials.append(try_on_known(wording))
    if counting(trials) and not can_decide(one.family for one in counting(trials)):
        trials += [try_on_known(wording) for wording in ladder.wordings if _copies(wording)]
    used = order_of_asking(counting(trials))[:N_ASKED]
    if not used:
        return Query((), (), QueryPrice(), tuple(trials))
    (price,) = (trial.positions_per_token for trial in trials if trial.wording is used[0])
    most = sum(ladder.most_positions(wording) for wording in used)
    further: tuple[Wording, ...] = ()
    if looks_again:
        tried = {trial.name for trial in trials}
        left = [one for one in with_words if one.name not in tried and at_least[one.name] <= DEAREST_LOOK * price]
        trials += map(try_on_known, left)
        further = further_wordings(trials)
    settling = sum(ladder.most_positions(wording) for wording in further)
    return Query(used, further, QueryPrice(price, most, settling), tuple(trials))


def further_wordings(trials: Sequence[Trial]) -> tuple[Wording, ...]:
    """What a second look asks in, the cheapest first: other wordings with words that count and are not too dear."""
    cheapest_first = counting(trials)
    used = order_of_asking(cheapest_first)[:N_ASKED]
    prices = {trial.name: trial.positions_per_token for trial in trials}
    return tuple(
        one
        for one in cheapest_first
        if one not in used and not _copies(one) and prices[one.name] <= DEAREST_LOOK * prices[used[0].name]
    )


def _copies(wording: Wording) -> bool:
    return wording.family is WordingFamily.COPIED


def _can_be_asked_sooner(wording: Wording, least: int, trials: Sequence[Trial]) -> bool:
    """Whether a wording not tried yet may be cheaper than the first or the second so far."""
    used = order_of_asking(counting(trials))[:N_ASKED]
    if len({one.family for one in used}) < N_ASKED:
        return True
    prices = {trial.name: trial.positions_per_token for trial in trials}
    first, second = (prices[one.name] for one in used)
    return least <= (first if wording.family is used[0].family else max(first, second))


def budget_steps(full: int, share: float, least: int, first: float = 0.005, factor: float = 1.25) -> tuple[int, ...]:
    """Budgets that rise from the share `first` by a factor up to `share`, as token positions of `full`.

    Those below `least`, which pay for no query, are left out but for the last.
    """
    n = max(0, math.ceil(math.log(share / first) / math.log(factor) - 1e-9)) if share > first else 0
    steps = [int(first * factor**number * full) for number in range(n)]
    last = int(share * full)
    return (*sorted({step for step in steps if least <= step < last}), last)
