"""Tokens that stand in for common ones where nobody counted: a proxy for every kind of tokenizer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.tokens._encoder import TextEncoder
from harness.tokens.evidence import TokenEvidence
from harness.tokens.vocabulary_audit import Category

_EARLY = 1_000


@dataclass(frozen=True)
class CommonTokens:
    """Ordinary tokens that a tokenizer's own order puts first."""

    ids: tuple[int, ...]
    words: str
    """What they have in common."""
    rule: str
    """The name of the rule in a pool's spec."""


def common_tokens(evidence: TokenEvidence) -> CommonTokens | None:
    """The first proxy that gives any: early merges (BPE), high scores (Unigram), low ids (any other).

    None without a tokenizer, or where no token is ordinary text.
    """
    found = (proxy(evidence) for proxy in (early_merges, high_scores, low_ids))
    return next((tokens for tokens in found if tokens is not None and tokens.ids), None)


def early_merges(evidence: TokenEvidence) -> CommonTokens | None:
    """Ordinary tokens among the first merges that a BPE learnt; None for another kind of tokenizer."""
    merges = evidence.facts.merges
    if evidence.tokenizer is None or not merges:
        return None
    # At most the first half: in a small vocabulary the last merges are rare ones.
    first = merges[: max(1, min(_EARLY, len(merges) // 2))]
    ids = tuple(i for i in _inside(evidence, first) if is_plain_text(evidence.tokenizer, i))
    return CommonTokens(ids, f"ordinary tokens among the first {len(first):,} merges", "early_merges")


def high_scores(evidence: TokenEvidence) -> CommonTokens | None:
    """The ordinary tokens that a Unigram finds likeliest; None for another kind of tokenizer."""
    ordered = evidence.vocabulary.ids_by_score() if evidence.vocabulary is not None else []
    return _first_ordinary(evidence, ordered, "likeliest of the tokenizer's", "high_scores") if ordered else None


def low_ids(evidence: TokenEvidence) -> CommonTokens | None:
    """The ordinary tokens with the lowest ids, which most trainers give to what they find first; None without a
    tokenizer."""
    if evidence.tokenizer is None:
        return None
    return _first_ordinary(evidence, range(evidence.facts.d_vocab), "lowest ids of", "low_ids")


def is_plain_text(tokenizer: TextEncoder, token: int) -> bool:
    """Whether a token is visible text that encodes to this very token."""
    text = tokenizer.decode([token])
    if not text.strip() or not text.isprintable() or "�" in text:
        return False
    return list(tokenizer.encode(text)) == [token]


def _first_ordinary(evidence: TokenEvidence, ordered: Sequence[int], which: str, rule: str) -> CommonTokens:
    inside = _inside(evidence, ordered)
    if evidence.audit is not None:
        audited = evidence.audit.tokens
        visible = [i for i in inside if audited[i].text.strip() and audited[i].text.isprintable()]
        plain = [i for i in visible if audited[i].category is Category.OK]
        # Where every token is a byte, those that are characters are the text.
        plain = plain or [i for i in visible if audited[i].is_reachable]
    else:
        assert evidence.tokenizer is not None
        plain = [i for i in inside if is_plain_text(evidence.tokenizer, i)]
    first = tuple(plain[: max(1, min(_EARLY, len(plain) // 2))])
    return CommonTokens(first, f"ordinary tokens, from the {len(first):,} {which} ordinary ones", rule)


def _inside(evidence: TokenEvidence, ids: Iterable[int]) -> list[int]:
    """Those inside the vocabulary that are not special, in the order given."""
    special, d_vocab = evidence.facts.special_ids, evidence.facts.d_vocab
    return [i for i in ids if 0 <= i < d_vocab and i not in special]
