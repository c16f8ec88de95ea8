"""Which exposures count: copying on how often training showed a token, in all and in each stream.

Logistic regressions of a token's copied appearances on log(1 + count), intervals clustered by token. Natural tokens are
observed: what is frequent in one stream is frequent in the others, so that coefficients side by side are known badly
(`inflation`), and tokens differ in more than their counts. Planted tokens had their dose assigned at random, but all in
nearly the same shares, so that among them streams can't be told apart at all. What tells them apart is both groups
together, since their shares differ: counted by what matters both lie on one curve, and the shift of planted tokens is
0, if nothing else tells the two groups apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.measure.logistic import LogisticFit, NoEstimate, fit_logistic, variance_inflation
from harness.models.exposures import STREAMS, Exposures

TOTAL = "total"
COUNTS = (TOTAL, *STREAMS)
PLANTED = "planted"
"""The term that is 1 for a planted token."""

Metrics = dict[str, float | int | str | None]


class Question(Enum):
    """What is fitted, on which tokens."""

    TOGETHER = "together"
    """Natural tokens, the streams side by side."""
    ALONE = "alone"
    """Natural tokens, one count at a time."""
    DOSE = "dose"
    """Planted tokens, their dose."""
    SHIFT = "shift"
    """All tokens, one count at a time, and a term for planted ones."""
    ONE_CURVE = "one_curve"
    """All tokens, one count at a time, planted or not."""
    ANY_COUNT = "any_count"
    """As `TOGETHER`, also of tokens shown more often than any dose."""


@dataclass(frozen=True)
class Fit:
    """One regression."""

    question: Question
    terms: tuple[str, ...]
    n: int
    """Tokens."""
    found: LogisticFit | None
    inflation: tuple[float | None, ...]
    why_none: str | None
    """Why there is no estimate; None where there is one."""


@dataclass(frozen=True, eq=False)
class Copied:
    """How often tokens were copied, with how often training showed them."""

    exposures: Exposures
    planted: Bool[np.ndarray, " token"]
    ids: Int[np.ndarray, " token"]
    copied: Int[np.ndarray, " token"]
    """Of its appearances."""
    n_appearances: int
    same: Int[np.ndarray, " token"]
    """Equal for tokens that the model can't tell apart: they are one cluster."""

    def log_counts(self, names: Sequence[str]) -> Float[np.ndarray, "token count"]:
        """log(1 + count), a column a name."""
        return np.log1p(np.stack([getattr(self.exposures, name)[self.ids] for name in names], axis=1).astype(float))


def highest_dose(planted: Mapping[int, Sequence[int]]) -> int | None:
    """Beyond it there are no planted tokens to compare natural ones with; None where nothing was planted."""
    return max(planted, default=None)


def fit_all(data: Copied, most: int | None) -> list[Fit]:
    """Every regression. `most`: tokens shown more often are left out (but for `ANY_COUNT`), None: none are.

    Where copying no longer fails for want of exposures, a straight line in log(1 + count) is wrong, and the few tokens
    that fail there for other reasons pull it about.
    """
    total = data.exposures.total[data.ids]
    near = np.ones(len(total), dtype=bool) if most is None else total <= most
    return list(_fits(data, near))


def _fits(data: Copied, near: Bool[np.ndarray, " token"]) -> Iterator[Fit]:
    natural, planted = near & ~data.planted, near & data.planted
    yield _fit(data, Question.TOGETHER, STREAMS, natural)
    for name in COUNTS:
        yield _fit(data, Question.ALONE, (name,), natural)
    if planted.any():
        yield _fit(data, Question.DOSE, (TOTAL,), planted)
        for question, terms in ((Question.SHIFT, (PLANTED,)), (Question.ONE_CURVE, ())):
            for name in COUNTS:
                yield _fit(data, question, (name, *terms), near)
    if not near.all():
        yield _fit(data, Question.ANY_COUNT, STREAMS, ~data.planted)


def _fit(data: Copied, question: Question, terms: tuple[str, ...], inside: Bool[np.ndarray, " token"]) -> Fit:
    n = int(inside.sum())
    design = data.log_counts([name for name in terms if name != PLANTED])
    if PLANTED in terms:
        design = np.column_stack([design, data.planted])
    design = design[inside]
    try:
        found = fit_logistic(design, data.copied[inside], np.full(n, data.n_appearances), data.same[inside])
    except NoEstimate as error:
        return Fit(question, terms, n, None, (None,) * len(terms), str(error))
    return Fit(question, terms, n, found, tuple(variance_inflation(design)), None)


def metrics(fits: Sequence[Fit]) -> Metrics:
    """`exposures/...`; None where there is no estimate."""
    found: Metrics = {}
    for fit in fits:
        first = fit.terms[0]
        if fit.question is Question.TOGETHER:
            for number, stream in enumerate(fit.terms):
                found |= _interval(fit, number, f"exposures/{stream}/coefficient")
                found[f"exposures/{stream}/inflation"] = fit.inflation[number]
        elif fit.question is Question.ALONE:
            found |= _interval(fit, 0, f"exposures/{first}/alone")
        elif fit.question is Question.DOSE:
            found |= _interval(fit, 0, "exposures/planted/coefficient")
        elif fit.question is Question.SHIFT:
            found |= _interval(fit, 1, f"exposures/{first}/planted_shift")
        elif fit.question is Question.ONE_CURVE:
            found[f"exposures/{first}/explained"] = None if fit.found is None else fit.found.explained
    return found


def _interval(fit: Fit, number: int, name: str) -> Metrics:
    if fit.found is None:
        return {name: None, f"{name}/ci_low": None, f"{name}/ci_high": None}
    return dict(fit.found.coefficients[number].metrics(name))


def details(fits: Sequence[Fit], most: int | None) -> dict[str, Any]:
    """For details.json: every coefficient with its interval, what it rests on, or why there is none."""
    return {"most": most, "fits": [_plain(fit) for fit in fits]}


def _plain(fit: Fit) -> dict[str, Any]:
    terms = []
    for number, name in enumerate(fit.terms):
        own = fit.found.coefficients[number] if fit.found is not None else None
        ends = {"mean": None, "low": None, "high": None} if own is None else vars(own)
        terms.append(
            {"term": name, **{key: ends[key] for key in ("mean", "low", "high")}, "inflation": fit.inflation[number]}
        )
    return {
        "question": fit.question.value,
        "n": fit.n,
        "terms": terms,
        "explained": None if fit.found is None else fit.found.explained,
        "why_none": fit.why_none,
    }
