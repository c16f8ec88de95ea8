"""Named sets of token ids under comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from harness.errors import Rejected
from harness.models.vocab_facts import VocabFacts
from harness.tokens._encoder import TextEncoder
from harness.tokens.pool_spec import PoolSpec
from harness.tokens.rules import select

_MOST_IDS_NAMED = 5


@dataclass(frozen=True)
class Pool:
    """A named set of token ids."""

    name: str
    ids: tuple[int, ...]
    """Ascending, each once, none special."""
    spec: PoolSpec
    """The pool as the config requests it."""
    label: str
    """What the ids have in common, for a legend or a caption."""
    is_proxy: bool
    """Whether they stand in for what is not known (early merges for tokens that training showed often)."""
    notes: tuple[str, ...] = ()
    """What a reader must know about these ids."""


def resolve_pools(
    specs: Mapping[str, PoolSpec], facts: VocabFacts, seed: int, tokenizer: TextEncoder | None = None
) -> dict[str, Pool]:
    """The pools that `specs` describe in this vocabulary, in the order given.

    `tokenizer` is needed by `early_merges` alone. Raises `Rejected` naming the pool for a spec that means nothing here,
    is empty, leaves the vocabulary, holds a special token or overlaps another pool.
    """
    if not specs:
        raise Rejected("pools: none given, allowed: at least one, e.g. pools.unused=byte_unused")
    pools = {name: _resolve(name, spec, facts, seed, tokenizer) for name, spec in specs.items()}
    for first, second in combinations(pools.values(), 2):
        _refuse_overlap(first, second)
    return pools


def _resolve(name: str, spec: PoolSpec, facts: VocabFacts, seed: int, tokenizer: TextEncoder | None) -> Pool:
    # A name becomes part of metric keys, array names and file names.
    if not name.replace("_", "").replace("-", "").isalnum():
        raise Rejected.key("pools", name, "names of letters, digits, _ and -")
    selection = select(name, spec, facts, seed, tokenizer)
    notes = []
    beyond = len(set(selection.ids) & set(facts.unnamed_ids))
    if beyond:
        notes.append(
            f"pools.{name}: {beyond} of {len(selection.ids)} ids are embedding rows without a token of the tokenizer"
        )
    if selection.is_proxy:
        notes.append(f"pools.{name}: training counts are not known here; {selection.label}")
    return Pool(name, selection.ids, spec, selection.label, selection.is_proxy, tuple(notes))


def _refuse_overlap(first: Pool, second: Pool) -> None:
    shared = sorted(set(first.ids) & set(second.ids))
    if not shared:
        return
    named = ", ".join(str(token) for token in shared[:_MOST_IDS_NAMED])
    more = ", ..." if len(shared) > _MOST_IDS_NAMED else ""
    raise Rejected(
        f"pools.{first.name} ({first.spec!r}) and pools.{second.name} ({second.spec!r}) overlap in {len(shared)}"
        f" ids: {named}{more}; allowed: pools without a common id"
    )
