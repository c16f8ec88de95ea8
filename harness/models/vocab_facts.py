"""What is known of a model's token ids before any weight is loaded."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from harness.models.exposures import Exposures


@dataclass(frozen=True, eq=False)
class VocabFacts:
    """The token ids of one model with one tokenizer."""

    label: str
    """The model's label."""
    d_vocab: int
    """Embedding rows: ids run from 0 to d_vocab - 1."""
    n_ctx: int | None
    """Longest sequence, `model.n_ctx` taken into account; None where nothing states one (Mamba)."""
    n_tokenizer: int | None
    """How many ids the tokenizer has a token for; None without a tokenizer."""
    unnamed_ids: tuple[int, ...]
    """Embedding rows that no token of the tokenizer leads to (padding of the matrix); empty without a tokenizer."""
    special_ids: frozenset[int]
    """The tokenizer's special ids; without a tokenizer bos, eos and pad of config.json."""
    bos_id: int | None
    """The tokenizer's bos. Without a tokenizer config.json's, the only evidence of how training sequences began."""
    byte_ids: tuple[int | None, ...]
    """Id of each of the 256 bytes, None for a byte without a token; empty where the tokenizer has no byte tokens."""
    merges: tuple[int, ...]
    """Ids in the order their BPE merges were learnt; empty where there are none."""
    exposures: Exposures | None
    """From the model's own folder; None where training counts are not known."""
    role_ids: frozenset[int] = frozenset()
    """Special ids with a job: bos, eos, pad, unk, ... of config.json or the tokenizer, and what it adds to a text."""
    planted: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Dose -> ids that training showed exactly so often, assigned at random; empty where none are known."""

    @cached_property
    def planted_ids(self) -> frozenset[int]:
        """Every planted id; all others are natural tokens."""
        return frozenset(token for ids in self.planted.values() for token in ids)

    def without_a_job(self, ids: Iterable[int]) -> tuple[int, ...]:
        """`ids` but those with a job (BOS, EOS, padding, ...): inside a sequence they would do it."""
        return tuple(token for token in ids if token not in self.role_ids and token != self.bos_id)

    @cached_property
    def sha256(self) -> str:
        """Hex digest of everything above but the label: what pools are drawn from."""
        parts = [self.d_vocab, self.n_ctx, self.n_tokenizer, self.unnamed_ids, sorted(self.special_ids), self.bos_id]
        parts.append(sorted(self.role_ids))
        digest = hashlib.sha256(json.dumps([*parts, self.byte_ids, self.merges]).encode())
        if self.exposures is not None:
            digest.update(self.exposures.total.astype("<i8").tobytes())
        if self.planted:
            digest.update(json.dumps(sorted(self.planted.items())).encode())
        return digest.hexdigest()
