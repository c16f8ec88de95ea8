"""Named sets of token ids under comparison."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from harness.errors import Rejected
from harness.measure.lying_together import Togetherness, togetherness
from harness.models.vocab_facts import VocabFacts
from harness.tokens._encoder import TextEncoder
from harness.tokens.evidence import TokenEvidence
from harness.tokens.pool_spec import PoolSpec
from harness.tokens.rules import Selection, select
from harness.tokens.unused import ENOUGH

_MOST_IDS_NAMED = 5


@dataclass(frozen=True)
class Pool:
    """A named set of token ids."""

    name: str
    ids: tuple[int, ...]
    """Ascending, each once."""
    spec: PoolSpec
    """The pool as the config requests it."""
    label: str
    """What the ids have in common, for a legend or a caption."""
    is_proxy: bool
    """Whether they stand in for what is not known (early merges for tokens that training showed often)."""
    notes: tuple[str, ...] = ()
    """What a reader must know about these ids."""
    rule: str = ""
    """What chose them: `listed`, `slice`, a rule, or several joined by `+`."""
    special_ids: tuple[int, ...] = ()
    """Those of the ids that the tokenizer calls special."""
    n_distinct: int | None = None
    """How many of them the model can tell apart (sets of coinciding input rows); None where that was not looked at."""
    together: Togetherness | None = None
    """How close their input rows lie together; None where that was not looked at."""


# Not of Mapping[str, Pool]: a type checker that looks at the first item while the tests run would resolve it.
class Pools(Mapping):
    """The pools of a config, each resolved when it is first asked for: what is not used can't be refused.

    Asking raises `Rejected` naming the pool for a spec that means nothing here, is empty, leaves the vocabulary or
    overlaps a pool that was asked for before.
    """

    def __init__(
        self,
        specs: Mapping[str, PoolSpec],
        evidence: TokenEvidence,
        seed: int,
        byte_values: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        """`byte_values`: for some pools, the bytes that its ids must stand for, in order (published pools)."""
        self._specs, self._evidence, self._seed = dict(specs), evidence, seed
        self._byte_values = dict(byte_values or {})
        self._found: dict[str, Pool] = {}

    def __getitem__(self, name: str) -> Pool:
        """The pool, resolved now if it was not."""
        if name not in self._found:
            pool = _resolve(name, self._specs[name], self._evidence, self._seed)
            if name in self._byte_values:
                _refuse_other_bytes(pool, tuple(self._byte_values[name]), self._evidence)
            for other in self._found.values():
                _refuse_overlap(*sorted((other, pool), key=lambda pool: list(self._specs).index(pool.name)))
            self._found[name] = pool
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        """Names, in the order of the config."""
        return iter(self._specs)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        """Whether the config has such a pool; resolves nothing."""
        return name in self._specs

    def require(self, names: Collection[str]) -> None:
        """Resolve some pools now. Raises `Rejected` as `__getitem__`, and where there are no pools at all."""
        if not self._specs:
            raise Rejected("pools: none given, allowed: at least one, e.g. pools.unused=byte_unused")
        for name in self._specs:
            if name in names:
                self[name]


def resolve_pools(
    specs: Mapping[str, PoolSpec],
    facts: VocabFacts,
    seed: int,
    tokenizer: TextEncoder | None = None,
    read_rows: Callable[[], Float[np.ndarray, "d_vocab d_model"]] | None = None,
) -> dict[str, Pool]:
    """All pools that `specs` describe in this vocabulary, in the order given.

    Raises `Rejected` as `Pools` does, and where there is none.
    """
    pools = Pools(specs, TokenEvidence(facts, tokenizer, read_rows), seed)
    pools.require(tuple(specs))
    return dict(pools)


def _resolve(name: str, spec: PoolSpec, evidence: TokenEvidence, seed: int) -> Pool:
    # A name becomes part of metric keys, array names and file names.
    if not name.replace("_", "").replace("-", "").isalnum():
        raise Rejected.key("pools", name, "names of letters, digits, _ and -")
    selection = select(name, spec, evidence, seed)
    special = tuple(sorted(set(selection.ids) & evidence.facts.special_ids))
    together = None
    # Rows that were chosen for lying together, and for nothing else, prove nothing by doing so.
    if selection.n_distinct is not None and not selection.is_proxy and evidence.rows is not None:
        together = togetherness(evidence.rows, selection.ids, evidence.ordinary_ids())
    evidence.let_go()
    notes = tuple(f"pools.{name}: {note}" for note in _notes(selection, special, together, evidence.facts))
    return Pool(
        name, selection.ids, spec, selection.label, selection.is_proxy, notes, selection.rule, special,
        selection.n_distinct, together,
    )  # fmt: skip


def _notes(
    selection: Selection, special: tuple[int, ...], together: Togetherness | None, facts: VocabFacts
) -> Iterator[str]:
    n = len(selection.ids)
    beyond = len(set(selection.ids) & set(facts.unnamed_ids))
    if beyond:
        yield f"{beyond} of {n} ids are embedding rows without a token of the tokenizer"
    if special:
        named = ", ".join(map(str, special[:_MOST_IDS_NAMED])) + (", ..." if len(special) > _MOST_IDS_NAMED else "")
        yield f"{len(special)} of {n} ids are special tokens ({named})"
    if selection.is_proxy and selection.n_distinct is None:
        yield f"training counts are not known here; {selection.label}"
    if selection.n_distinct is not None:
        few = "" if selection.n_distinct >= ENOUGH else f", fewer than the {ENOUGH} wanted; no rule gives more"
        yield f"chosen as {selection.label}; the model can tell {selection.n_distinct} of the {n} apart{few}"
    if together is not None:
        closer = "closer together than any of them" if together.is_beyond_chance else "no closer together than those"
        yield (
            f"mean cosine of the rows to their centroid {together.cosine:.2f}; of as many random ordinary tokens "
            f"{together.random_mean:.2f}, at most {together.random_highest:.2f}: they lie {closer}"
        )


def _refuse_other_bytes(pool: Pool, expected: tuple[int, ...], evidence: TokenEvidence) -> None:
    facts = evidence.facts
    if facts.n_tokenizer is None:
        return
    here = dict(zip(facts.byte_ids, range(256), strict=False))
    wrong = [token for token, byte in zip(pool.ids, expected, strict=True) if here.get(token) != byte]
    if not wrong:
        return
    vocabulary = evidence.vocabulary
    name = vocabulary.token_name(wrong[0]) if vocabulary is not None else None
    is_called = f"{wrong[0]} is {name!r}" if name is not None else f"{wrong[0]} is not"
    raise Rejected.key(
        f"pools.{pool.name}",
        pool.spec,
        f"other ids here: the published ones are the bytes {expected[0]:02X} to {expected[-1]:02X} of another "
        f"tokenizer, and in this one they mean something else ({is_called}); pools=default finds this tokenizer's own",
    )


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
