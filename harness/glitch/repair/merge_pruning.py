"""The tokenizer's side: no text leads to the tokens any more, and the model reads their pieces, which it knows.

Users of Gemma 4 file such patches against its tokenizer.json (2026): every merge that ends in the token is pruned, ids
and weights stay. `harness.tokens.removal` does it for other kinds of tokenizer, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from harness.errors import Rejected, RunFailed
from harness.glitch.repair.choices import PRUNING
from harness.glitch.repair.mending import Mending
from harness.glitch.repair.method import RepairMethod
from harness.glitch.repair.patient import Patient
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.steered import Scope
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.tokens.removal.checking import check_removal
from harness.tokens.removal.longer import Longer
from harness.tokens.removal.removal import Removal, remove_tokens
from harness.tokens.removal.resegmentation import count_text, resegmentation
from harness.tokens.removal.writing import write_patched

_TRIED = ("\u00e9\u65e5\u672c \U0001f469\u200d\U0001f52c\r\n\t", "a  b\n\n\n    c", "\u00ad\ufffd<|x|>")
"""Texts that tokenizers lose most easily; they have to come back as before."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenizerMending(Mending):
    """The model as it is, behind another tokenizer."""

    before: str
    """The tokenizer.json that was patched."""
    removal: Removal
    after: Tokenizer

    @contextmanager
    def on(self, model: CausalModel, scope: Scope) -> Iterator[CausalModel]:  # noqa: ARG002
        """The model itself."""
        yield model

    @property
    def tokenizer(self) -> Tokenizer:
        """The patched one."""
        return self.after

    @property
    def pieces(self) -> Mapping[int, tuple[int, ...]]:
        """What the texts of removed and of lost tokens are cut into."""
        return self.removal.pieces

    @property
    def lost(self) -> tuple[int, ...]:
        """Tokens that were merged from removed ones and have no other way."""
        return self.removal.newly_unreachable

    def costs(self, texts: Sequence[str], seed: int) -> dict[str, float | None]:
        """Words cut anew, bytes a token, and how much of the text were tokens that are lost, all over documents."""
        found = resegmentation(count_text(self.before, self.removal, texts), seed)
        return {
            **found.words_changed.metrics("words_changed"),
            **found.bytes_per_token.metrics("bytes_per_token_before"),
            **found.bytes_per_token_after.metrics("bytes_per_token"),
            **found.removed.metrics("text_of_removed_tokens"),
            **found.unreachable.metrics("text_of_lost_tokens"),
        }


@dataclass(frozen=True)
class MergePruning(RepairMethod):
    """`longer`: what becomes of other tokens that are merged from removed ones."""

    longer: Longer

    @property
    def name(self) -> str:
        """With what becomes of longer tokens."""
        return f"{PRUNING}_{self.longer.value}"

    def obstacle(self, patient: Patient) -> str | None:
        """A tokenizer of another kind."""
        try:
            remove_tokens(patient.tokenizer.definition, ())
        except Rejected as error:
            return str(error)
        return None

    def mend(self, patient: Patient, ids: Sequence[int], rng: np.random.Generator) -> TokenizerMending:  # noqa: ARG002
        """The tokenizer without these tokens, loaded as a user would load it, and checked.

        Raises `RunFailed` where the patch does not hold what it promises.
        """
        before = patient.tokenizer
        removal = remove_tokens(before.definition, ids, self.longer, before.special_ids)
        after = _loaded(before, removal)
        check = check_removal(before, after, removal, _TRIED)
        if not check.holds:
            raise RunFailed(f"the patched tokenizer is not what it should be: {asdict(check)}")
        return TokenizerMending(
            before=before.definition or "",
            removal=removal,
            after=after,
            left_out=tuple(removal.refused),
            facts=_facts(removal, patient),
        )


def _facts(removal: Removal, patient: Patient) -> dict[str, float | int | str]:
    reasons = dict.fromkeys(removal.refused.values(), 0)
    for reason in removal.refused.values():
        reasons[reason] += 1
    lost = set(removal.newly_unreachable)
    # Pieces may be as little trained as the whole was: the token itself is where they stood in text.
    doubtful = [i for i in removal.removed if not patient.suspects.isdisjoint(removal.pieces[i])]
    return {
        "tokens_removed": len(removal.removed),
        "with_a_suspected_piece": len(doubtful),
        "also_removed": len(removal.also_removed),
        "merges_removed": len(removal.removed_merges),
        "merges_added": len(removal.added_merges),
        "renamed": len(removal.renamed),
        "lost_tokens": len(lost),
        "lost_healthy_tokens": len(lost - patient.suspects),
        **{f"refused: {reason}": n for reason, n in reasons.items()},
    }


def _loaded(tokenizer: Tokenizer, removal: Removal) -> Tokenizer:
    with TemporaryDirectory() as folder:
        write_patched(tokenizer, removal, Path(folder))
        found = load_tokenizer(None, ModelConfig(), TokenizerConfig(folder))
    assert found is not None
    return found
