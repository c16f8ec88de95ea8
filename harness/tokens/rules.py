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
from harness.tokens.pool_spec import PoolSpec

# UTF-8 needs neither the overlong lead bytes C0 and C1 nor lead bytes beyond U+10FFFF.
BYTES_UTF8_NEVER_HOLDS = (0xC0, 0xC1, *range(0xF5, 0x100))

COMMON_EXPOSURES = 1_000
"""From this many occurrences in training on a token counts as common."""
_EARLY = 1_000
_EARLY_SAMPLE = 256


class Rule(Enum):
    """Ways to name a set of ids without listing them."""

    BYTE_UNUSED = "byte_unused"
    EXPOSURES = "exposures"
    EARLY_MERGES = "early_merges"
    ALL = "all"
    AUTO = "auto"


@dataclass(frozen=True)
class Selection:
    """The ids a spec means, and what to call them."""

    ids: tuple[int, ...]
    label: str
    is_proxy: bool = False


@dataclass(frozen=True)
class _Request:
    """One spec under resolution, with what its refusals need to name."""

    name: str
    spec: PoolSpec
    facts: VocabFacts
    seed: int
    tokenizer: TextEncoder | None

    def refused(self, allowed: str) -> Rejected:
        """The refusal of this spec."""
        got = list(self.spec) if isinstance(self.spec, tuple) else self.spec
        return Rejected.key(f"pools.{self.name}", got, allowed)

    def ordinary(self, ids: Iterable[int]) -> tuple[int, ...]:
        """Those inside the vocabulary that are not special, ascending."""
        special = set(self.facts.special_ids)
        return tuple(sorted({token for token in ids if 0 <= token < self.facts.d_vocab} - special))


def select(name: str, spec: PoolSpec, facts: VocabFacts, seed: int, tokenizer: TextEncoder | None = None) -> Selection:
    """The ids of one spec. Raises `Rejected` naming `pools.<name>`, the spec and what is allowed."""
    request = _Request(name, spec, facts, seed, tokenizer)
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
    _refuse_special(request, ids)
    return Selection(tuple(sorted(ids)), f"{len(ids)} listed ids")


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
    _refuse_special(request, ids)
    return Selection(ids, f"ids {low} to {high - 1}" if high - low > 1 else f"id {low}")


def _refuse_outside(request: _Request, ids: Sequence[int]) -> None:
    last = request.facts.d_vocab - 1
    outside = [token for token in ids if not 0 <= token <= last]
    if outside:
        raise request.refused(f"ids from 0 to {last} ({outside[0]} is outside the vocabulary)")


def _refuse_special(request: _Request, ids: Sequence[int]) -> None:
    special = sorted(set(ids) & set(request.facts.special_ids))
    if special:
        raise request.refused(f"ids of ordinary tokens ({', '.join(map(str, special[:5]))}: special token)")


def _rule(request: _Request, spec: str) -> Selection:
    word, _, bounds = spec.partition(":")
    names = [rule.value for rule in Rule]
    if word not in names:
        near = nearest(word, names)
        hint = f"; did you mean {near}?" if near else ""
        raise request.refused(f"a slice 177:188, ids [5,7,9], or a rule: {', '.join(names)}{hint}")
    rule = Rule(word)
    if rule is Rule.EXPOSURES:
        return _exposures(request, bounds)
    if bounds or ":" in spec:
        raise request.refused(f"{word} on its own, without bounds")
    simple: Mapping[Rule, Callable[[_Request], Selection]] = {
        Rule.BYTE_UNUSED: _byte_unused,
        Rule.EARLY_MERGES: _early_merges,
        Rule.ALL: _all,
        Rule.AUTO: _auto,
    }
    return simple[rule](request)


def _byte_unused(request: _Request) -> Selection:
    byte_ids = request.facts.byte_ids
    found = [byte_ids[byte] for byte in BYTES_UTF8_NEVER_HOLDS] if byte_ids else []
    ids = request.ordinary(token for token in found if token is not None)
    if not ids:
        raise request.refused(
            "something else here: this vocabulary has no tokens for single bytes; give a slice or ids"
        )
    return Selection(ids, "bytes that UTF-8 never holds")


def _exposures(request: _Request, bounds: str) -> Selection:
    match = re.fullmatch(r"(\d*):(\d*)", bounds)
    if match is None or not (match[1] or match[2]):
        raise request.refused("exposures:LOW:HIGH, half-open, either bound may be empty, e.g. exposures:0:1")
    if request.facts.exposures is None:
        raise request.refused(
            "a rule that needs no training counts: nobody counted how often this model's training showed each token"
        )
    low = int(match[1] or 0)
    high = int(match[2]) if match[2] else None
    if high is not None and low >= high:
        raise request.refused("exposures:LOW:HIGH with LOW < HIGH")
    counts = request.facts.exposures.total
    inside = counts >= low if high is None else (counts >= low) & (counts < high)
    return Selection(request.ordinary(int(token) for token in np.flatnonzero(inside)), _exposure_label(low, high))


def _exposure_label(low: int, high: int | None) -> str:
    if high is None:
        return f"shown at least {low:,} times in training"
    if high == low + 1:
        return "never shown in training" if low == 0 else f"shown {low:,} times in training"
    return f"shown {low:,} to {high - 1:,} times in training"


def _early_merges(request: _Request) -> Selection:
    if request.tokenizer is None or not request.facts.merges:
        raise request.refused("something else here: no tokenizer whose merges are known; give a slice or ids")
    # At most the first half: in a small vocabulary the last merges are rare ones.
    first = request.facts.merges[: max(1, min(_EARLY, len(request.facts.merges) // 2))]
    candidates = request.ordinary(first)
    ordinary = [token for token in candidates if _is_plain_text(request.tokenizer, token)]
    label = f"ordinary tokens among the first {len(first):,} merges, a proxy for common ones"
    rng = np.random.default_rng([request.seed, zlib.crc32(b"early_merges")])
    size = min(_EARLY_SAMPLE, len(ordinary))
    chosen = rng.permutation(np.asarray(ordinary, dtype=np.int64))[:size]
    return Selection(tuple(sorted(int(token) for token in chosen)), f"{size} {label}", is_proxy=True)


def _is_plain_text(tokenizer: TextEncoder, token: int) -> bool:
    text = tokenizer.decode([token])
    if not text.strip() or not text.isprintable() or "�" in text:
        return False
    return list(tokenizer.encode(text)) == [token]


def _all(request: _Request) -> Selection:
    return Selection(request.ordinary(range(request.facts.d_vocab)), "every token that is not special")


def _auto(request: _Request) -> Selection:
    counted = request.facts.exposures is not None
    if request.name == "unused":
        return _exposures(request, "0:1") if counted else _byte_unused(request)
    if request.name == "common":
        return _exposures(request, f"{COMMON_EXPOSURES}:") if counted else _early_merges(request)
    raise request.refused("auto is defined for the pools unused and common only")
