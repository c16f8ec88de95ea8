"""What a pool's spec means in one vocabulary: slices, lists of ids and rules."""

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from harness.errors import Rejected, nearest
from harness.models.vocab_facts import VocabFacts
from harness.tokens._encoder import TextEncoder
from harness.tokens.common_tokens import CommonTokens, common_tokens, early_merges, high_scores, low_ids
from harness.tokens.evidence import TokenEvidence
from harness.tokens.pool_spec import PoolSpec
from harness.tokens.unused import UnusedChoice, UnusedRule, choose_unused, unused_by

COMMON_EXPOSURES = 1_000
"""From this many occurrences in training on a token counts as common."""
_COMMON_SAMPLE = 256


class Rule(Enum):
    """Ways to name a set of ids without listing them."""

    BYTE_UNUSED = UnusedRule.BYTE_UNUSED.value
    NO_TOKEN = UnusedRule.NO_TOKEN.value
    RESERVED_NAMES = UnusedRule.RESERVED_NAMES.value
    UNUSED_SPECIAL = UnusedRule.UNUSED_SPECIAL.value
    UNREACHABLE = UnusedRule.UNREACHABLE.value
    COINCIDING_ROWS = UnusedRule.COINCIDING_ROWS.value
    EXPOSURES = "exposures"
    NATURAL = "natural"
    PLANTED = "planted"
    EARLY_MERGES = "early_merges"
    HIGH_SCORES = "high_scores"
    LOW_IDS = "low_ids"
    COMMON_PART = "common_part"
    ALL = "all"
    AUTO = "auto"


@dataclass(frozen=True)
class Selection:
    """The ids a spec means, and what to call them."""

    ids: tuple[int, ...]
    label: str
    rule: str
    """The rules they were found by, `listed` or `slice`."""
    is_proxy: bool = False
    n_distinct: int | None = None
    """How many of them the model can tell apart, where rows were looked at to choose them."""


@dataclass(frozen=True)
class _Request:
    """One spec under resolution, with what its refusals need to name."""

    name: str
    spec: PoolSpec
    evidence: TokenEvidence
    seed: int

    @property
    def facts(self) -> VocabFacts:
        """The vocabulary."""
        return self.evidence.facts

    @property
    def tokenizer(self) -> TextEncoder | None:
        """The tokenizer, where there is one."""
        return self.evidence.tokenizer

    def refused(self, allowed: str) -> Rejected:
        """The refusal of this spec."""
        got = list(self.spec) if isinstance(self.spec, tuple) else self.spec
        return Rejected.key(f"pools.{self.name}", got, allowed)

    def ordinary(self, ids: Iterable[int]) -> tuple[int, ...]:
        """Those inside the vocabulary that are not special, ascending."""
        special = set(self.facts.special_ids)
        return tuple(sorted({token for token in ids if 0 <= token < self.facts.d_vocab} - special))


def select(name: str, spec: PoolSpec, evidence: TokenEvidence, seed: int) -> Selection:
    """The ids of one spec. Raises `Rejected` naming `pools.<name>`, the spec and what is allowed.

    Ids that are listed and rules for unused tokens may give special tokens, which often are the unused ones; other
    rules leave them out.
    """
    request = _Request(name, spec, evidence, seed)
    if isinstance(spec, tuple):
        selection = _listed(request, spec)
    elif re.match(r"\s*[-+\d:]", spec):
        selection = _slice(request, spec)
    else:
        selection = _rule(request, spec)
    if not selection.ids:
        raise request.refused(f"a pool with ids in it; here it is empty ({selection.label})")
    return selection


def _listed(request: _Request, ids: tuple[int, ...]) -> Selection:
    twice = sorted({token for token in ids if ids.count(token) > 1}) if len(set(ids)) < len(ids) else []
    if twice:
        raise request.refused(f"each id once ({twice[0]} is there {ids.count(twice[0])} times)")
    _refuse_outside(request, ids)
    return Selection(tuple(sorted(ids)), f"{len(ids)} listed ids", "listed")


def _slice(request: _Request, spec: str) -> Selection:
    match = re.fullmatch(r"\s*([-+]?\d+)\s*:\s*([-+]?\d+)\s*", spec)
    if match is None:
        raise request.refused("a half-open slice of two whole numbers, e.g. 177:188")
    low, high = int(match[1]), int(match[2])
    if low >= high:
        kind = "empty" if low == high else "reversed"
        raise request.refused(f"a half-open slice LOW:HIGH with LOW < HIGH (this one is {kind})")
    _refuse_outside(request, (low, high - 1))
    ids = tuple(range(low, high))
    return Selection(ids, f"ids {low} to {high - 1}" if high - low > 1 else f"id {low}", "slice")


def _refuse_outside(request: _Request, ids: Sequence[int]) -> None:
    last = request.facts.d_vocab - 1
    outside = [token for token in ids if not 0 <= token <= last]
    if outside:
        raise request.refused(f"ids from 0 to {last} ({outside[0]} is outside the vocabulary)")


def _rule(request: _Request, spec: str) -> Selection:
    word, _, bounds = spec.partition(":")
    names = [rule.value for rule in Rule]
    if word not in names:
        near = nearest(word, names)
        hint = f"; did you mean {near}?" if near else ""
        raise request.refused(f"a slice 177:188, ids [5,7,9], or a rule: {', '.join(names)}{hint}")
    rule = Rule(word)
    if rule in (Rule.EXPOSURES, Rule.NATURAL):
        return _exposures(request, bounds, rule)
    if rule is Rule.PLANTED:
        return _planted(request, bounds)
    if rule is Rule.COMMON_PART:
        return _common_part(request, bounds)
    if bounds or ":" in spec:
        raise request.refused(f"{word} on its own, without bounds")
    if word in (unused.value for unused in UnusedRule):
        return _unused(request, UnusedRule(word))
    simple: Mapping[Rule, Callable[[_Request], Selection]] = {
        Rule.EARLY_MERGES: _early_merges,
        Rule.HIGH_SCORES: _high_scores,
        Rule.LOW_IDS: _low_ids,
        Rule.ALL: _all,
        Rule.AUTO: _auto,
    }
    return simple[rule](request)


_NOTHING_FOUND = {
    UnusedRule.BYTE_UNUSED: "this vocabulary has no tokens for single bytes that UTF-8 never holds",
    UnusedRule.NO_TOKEN: "every row of the embedding has a token",
    UnusedRule.RESERVED_NAMES: "no token has a reserved name",
    UnusedRule.UNUSED_SPECIAL: "every special token has a role or is used by a chat template",
    UnusedRule.UNREACHABLE: "the tokenizer produces every token",
    UnusedRule.COINCIDING_ROWS: "no two rows coincide",
}
_NEEDS_TOKENIZER = (UnusedRule.RESERVED_NAMES, UnusedRule.UNUSED_SPECIAL, UnusedRule.UNREACHABLE)


def _unused(request: _Request, rule: UnusedRule) -> Selection:
    choice = unused_by(rule, request.evidence)
    if choice is None:
        reason = _NOTHING_FOUND[rule]
        if rule in _NEEDS_TOKENIZER and request.evidence.vocabulary is None:
            reason = "there is no tokenizer to ask"
        if rule is UnusedRule.COINCIDING_ROWS and request.evidence.read_rows is None:
            reason = "there are no weights to look at"
        raise request.refused(f"something else here: {reason}; give a slice or ids, or auto for the pool unused")
    return _of_choice(choice)


def _of_choice(choice: UnusedChoice) -> Selection:
    rule = "+".join(rule.value for rule in choice.rules) or "closest_rows"
    return Selection(choice.ids, choice.words, rule, choice.is_proxy, choice.n_distinct)


def _exposures(request: _Request, bounds: str, rule: Rule = Rule.EXPOSURES) -> Selection:
    match = re.fullmatch(r"(\d*):(\d*)", bounds)
    if match is None or not (match[1] or match[2]):
        raise request.refused(f"{rule.value}:LOW:HIGH, half-open, either bound may be empty, e.g. {rule.value}:0:1")
    if request.facts.exposures is None:
        raise request.refused(
            "a rule that needs no training counts: nobody counted how often this model's training showed each token"
        )
    low = int(match[1] or 0)
    high = int(match[2]) if match[2] else None
    if high is not None and low >= high:
        raise request.refused(f"{rule.value}:LOW:HIGH with LOW < HIGH")
    counts = request.facts.exposures.total
    inside = counts >= low if high is None else (counts >= low) & (counts < high)
    ids = request.ordinary(int(token) for token in np.flatnonzero(inside))
    if rule is Rule.NATURAL:
        ids = tuple(token for token in ids if token not in request.facts.planted_ids)
    kind = "natural, " if rule is Rule.NATURAL else ""
    return Selection(ids, kind + _exposure_label(low, high), rule.value)


def _planted(request: _Request, dose: str) -> Selection:
    planted = request.facts.planted
    if not planted:
        raise request.refused("a rule that needs no planted tokens: none are known in this model's training")
    if not dose.isdecimal() or int(dose) not in planted:
        raise request.refused(f"planted:DOSE with a dose that was planted: {', '.join(map(str, sorted(planted)))}")
    label = f"planted, {_exposure_label(int(dose), int(dose) + 1)}"
    return Selection(request.ordinary(planted[int(dose)]), label, Rule.PLANTED.value)


def _exposure_label(low: int, high: int | None) -> str:
    if high is None:
        return f"shown at least {low:,} times in training"
    if high == low + 1:
        return {0: "never shown in training", 1: "shown once in training"}.get(low, f"shown {low:,} times in training")
    return f"shown {low:,} to {high - 1:,} times in training"


def _early_merges(request: _Request) -> Selection:
    return _sample(request, early_merges(request.evidence), "no tokenizer whose merges are known")


def _high_scores(request: _Request) -> Selection:
    return _sample(request, high_scores(request.evidence), "no tokenizer with scores (Unigram)")


def _low_ids(request: _Request) -> Selection:
    return _sample(request, low_ids(request.evidence), "no tokenizer tells which ids are ordinary")


def _sample(request: _Request, tokens: CommonTokens | None, missing: str) -> Selection:
    if tokens is None:
        raise request.refused(f"something else here: {missing}; give a slice or ids")
    # The name of the first proxy there was: whichever it is, a seed draws from one stream of numbers.
    rng = np.random.default_rng([request.seed, zlib.crc32(b"early_merges")])
    size = min(_COMMON_SAMPLE, len(tokens.ids))
    chosen = rng.permutation(np.asarray(sorted(tokens.ids), dtype=np.int64))[:size]
    found = tuple(sorted(int(token) for token in chosen))
    return Selection(found, f"{size} {tokens.words}, a proxy for common ones", tokens.rule, is_proxy=True)


def _common_part(request: _Request, bounds: str) -> Selection:
    """One of several disjoint parts of the common tokens, dealt out at random by the seed: pools of one kind."""
    match = re.fullmatch(r"(\d+):(\d+)", bounds)
    number, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= parts or parts < 2:
        raise request.refused("common_part:NUMBER:PARTS with 1 <= NUMBER <= PARTS and 2 parts or more")
    whole = (
        _exposures(request, f"{COMMON_EXPOSURES}:") if request.facts.exposures is not None else _auto_common(request)
    )
    rng = np.random.default_rng([request.seed, zlib.crc32(Rule.COMMON_PART.value.encode())])
    dealt = rng.permutation(np.asarray(whole.ids, dtype=np.int64))[number - 1 :: parts]
    label = f"random part {number} of {parts} of {whole.label}"
    return Selection(tuple(sorted(int(token) for token in dealt)), label, Rule.COMMON_PART.value, whole.is_proxy)


def _all(request: _Request) -> Selection:
    return Selection(request.ordinary(range(request.facts.d_vocab)), "every token that is not special", Rule.ALL.value)


def _auto(request: _Request) -> Selection:
    counted = request.facts.exposures is not None
    if request.name == "unused":
        return _exposures(request, "0:1") if counted else _auto_unused(request)
    if request.name == "common":
        return _exposures(request, f"{COMMON_EXPOSURES}:") if counted else _auto_common(request)
    raise request.refused("auto is defined for the pools unused and common only")


def _auto_unused(request: _Request) -> Selection:
    choice = choose_unused(request.evidence)
    if choice is None:
        missing = ", and it has no tokenizer" if request.tokenizer is None else ""
        raise request.refused(
            f"a slice 177:188 or ids [5,7,9]: no rule finds an unused token in this model{missing} "
            f"(tried: {', '.join(rule.value for rule in UnusedRule)})"
        )
    return _of_choice(choice)


def _auto_common(request: _Request) -> Selection:
    """The first proxy that applies: early merges (BPE), high scores (Unigram), low ids (any other)."""
    if request.tokenizer is None:
        raise request.refused(
            "a slice 100:111 or ids [5,7,9]: without a tokenizer nothing tells which tokens are common; or a tokenizer "
            "beside the model, tokenizer.name=<folder or hub name>"
        )
    tokens = common_tokens(request.evidence)
    if tokens is None:
        raise request.refused("a slice 100:111 or ids [5,7,9]: no token of this tokenizer is plain text")
    return _sample(request, tokens, "")
