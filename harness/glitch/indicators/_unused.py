"""Which ids of a model are known to be unused, with nothing but its tokenizer and its rows to go by."""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import FieldRejected
from harness.glitch.indicators._published_ids import published_ids
from harness.tokens.evidence import TokenEvidence
from harness.tokens.unused import UnusedRule, choose_unused


@dataclass(frozen=True)
class UnusedIds:
    """Ids taken to be unused, and by which rule."""

    ids: tuple[int, ...]
    rule: str
    """One sentence."""
    special_ids: tuple[int, ...] = ()
    """Those of the ids that the tokenizer calls special."""
    n_distinct: int | None = None
    """How many of them the model can tell apart, where that decided the choice."""
    is_stand_in: bool = False
    """Whether no token is known to be unused, and the rows that lie closest together stand in."""

    def as_dict(self) -> dict[str, object]:
        """For details.json."""
        return {
            "ids": list(self.ids),
            "rule": self.rule,
            "special_ids": list(self.special_ids),
            "n_distinct": self.n_distinct,
            "is_stand_in": self.is_stand_in,
        }


def known_unused_ids(evidence: TokenEvidence, given: Iterable[int] | None = None) -> UnusedIds:
    """Ids that training cannot have shown. The first of these that gives any:

    1. `given`, from the config;
    2. a published list, where its ids are in this tokenizer what they were there, so that published indicators can be
       compared with;
    3. `harness.tokens.unused.choose_unused`, which `pools.unused=auto` uses as well.

    Known training counts are never looked at: a detector that is judged against them must not know them.
    Raises `FieldRejected` where no rule gives an id, or a given id is not in the vocabulary.
    """
    facts = evidence.facts
    if given is not None and (ids := tuple(dict.fromkeys(given))):
        outside = [i for i in ids if not 0 <= i < facts.d_vocab]
        if outside:
            raise FieldRejected.key("unused_ids", outside[0], f"ids from 0 to {facts.d_vocab - 1}")
        return UnusedIds(ids, "given in the config", _special(evidence, ids))
    published = published_ids(evidence)
    if published is not None:
        words = f"the ids Land & Bartolo 2024 list for the tokenizer of {published.tokenizer}"
        return UnusedIds(tuple(published.ids), words, _special(evidence, published.ids))
    choice = choose_unused(evidence)
    evidence.let_go()
    if choice is None:
        raise FieldRejected(
            f"unused_ids: none known for {facts.label}: no rule gives any "
            f"({', '.join(rule.value for rule in UnusedRule)}), and there is no published list for its tokenizer; "
            "allowed: ids that training never showed, e.g. ",
            "unused_ids=[5,7]",
        )
    return UnusedIds(choice.ids, choice.words, _special(evidence, choice.ids), choice.n_distinct, choice.is_proxy)


def _special(evidence: TokenEvidence, ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(ids) & evidence.facts.special_ids))
