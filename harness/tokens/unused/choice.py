"""The choice among the rules: tokens taken to be unused, whatever the tokenizer is like."""

from dataclasses import dataclass
from functools import lru_cache

from harness.tokens.common_tokens import common_tokens
from harness.tokens.evidence import TokenEvidence
from harness.tokens.unused.closest_rows import closest_rows
from harness.tokens.unused.rules import UnusedRule, found_by

ENOUGH = 8
"""So many tokens that the model can tell apart are enough to compare with."""


@dataclass(frozen=True)
class UnusedChoice:
    """Tokens taken to be unused, and why."""

    ids: tuple[int, ...]
    """Ascending, each once; special ones may be among them."""
    rules: tuple[UnusedRule, ...]
    """Those that gave an id."""
    words: str
    """What the ids have in common."""
    n_distinct: int | None
    """How many of them the model can tell apart; None where no weights were looked at."""
    is_proxy: bool = False
    """Whether no rule found any: then they are the rows that lie closest together, and nothing says they are unused."""


@lru_cache(maxsize=1)
def choose_unused(evidence: TokenEvidence) -> UnusedChoice | None:
    """The first rule that gives `ENOUGH` tokens the model can tell apart, else their union in order until it does.

    Fewer than that where all rules together have no more. Where they have none, a stand-in: the `ENOUGH` rows that lie
    closest together, common tokens left out; None where there are no weights either. Whether rows can be told apart is
    judged by the input rows; without weights every id counts.
    """
    sure = [rule for rule in UnusedRule if rule is not UnusedRule.COINCIDING_ROWS]
    found: list[tuple[UnusedRule, tuple[int, ...], str]] = []
    for rule in sure:
        ids, words = found_by(rule, evidence)
        choice = _choice(evidence, [(rule, ids, words)])
        if _n(choice) >= ENOUGH:
            return choice
        found.append((rule, ids, words))
    for last in range(1, len(found) + 1):
        choice = _choice(evidence, found[:last])
        if _n(choice) >= ENOUGH:
            return choice
    known = sorted({i for _, ids, _ in found for i in ids})
    last_resort = UnusedRule.COINCIDING_ROWS
    choice = _choice(evidence, [*found, (last_resort, *found_by(last_resort, evidence, known, ENOUGH))])
    return choice if choice.ids else _stand_in(evidence)


def _stand_in(evidence: TokenEvidence) -> UnusedChoice | None:
    if evidence.centred is None:
        return None
    common = common_tokens(evidence)
    out = set(common.ids) if common is not None else set()
    among = [i for i in evidence.ordinary_ids() if i not in out]
    ids, distance = closest_rows(evidence.centred, among, ENOUGH)
    if not ids:
        return None
    words = (
        f"the {len(ids)} rows that lie closest together (cosine distances up to {distance:.2f}), a stand-in: no rule "
        "finds a token that training can't have shown"
    )
    return UnusedChoice(ids, (), words, evidence.n_distinct(ids), is_proxy=True)


def unused_by(rule: UnusedRule, evidence: TokenEvidence) -> UnusedChoice | None:
    """What one rule alone gives, however few; None where it gives nothing."""
    choice = _choice(evidence, [(rule, *found_by(rule, evidence, (), ENOUGH))])
    return choice if choice.ids else None


def _n(choice: UnusedChoice) -> int:
    return len(choice.ids) if choice.n_distinct is None else choice.n_distinct


def _choice(evidence: TokenEvidence, found: list[tuple[UnusedRule, tuple[int, ...], str]]) -> UnusedChoice:
    used: list[tuple[UnusedRule, str]] = []
    ids: set[int] = set()
    for rule, more, words in found:
        if not set(more) <= ids:
            used.append((rule, words))
            ids |= set(more)
    ordered = tuple(sorted(ids))
    words = "; ".join(words for _, words in used)
    return UnusedChoice(ordered, tuple(rule for rule, _ in used), words, evidence.n_distinct(ordered))
