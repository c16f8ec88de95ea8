"""Whether a patched tokenizer keeps what was promised of it, tried on the tokenizer as it is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.models.tokenizers import Tokenizer
from harness.tokens._reaching import Reach
from harness.tokens.removal.removal import Removal


@dataclass(frozen=True)
class RemovalCheck:
    """What was found to be otherwise than promised; all of it empty where the patch holds."""

    reached: tuple[int, ...]
    """Removed ids that some text leads to."""
    misnamed: tuple[int, ...]
    """Ids whose name changed although the removal does not say so, and ids that came or went."""
    lossy: tuple[int, ...]
    """Places in the texts of those that no longer come back as they did."""

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not (self.reached or self.misnamed or self.lossy)


def check_removal(before: Tokenizer, after: Tokenizer, removal: Removal, texts: Sequence[str]) -> RemovalCheck:
    """Look for texts that lead to removed ids, for ids with another name, and for `texts` that come back otherwise.

    The texts tried are the removed tokens' own among hundreds of neighbours, their new names, and `texts`.
    """
    removed = {*removal.removed, *removal.also_removed}
    rows = after.encode_batch(texts)
    own = {i: tuple(dict.fromkeys((before.token_text(i), *before.spellings(i)))) for i in sorted(removed)}
    named = [name for i in removed if (name := after.token_name(i)) is not None]
    found = Reach(after).reached(own).union(*rows, *after.encode_batch([*named, *(f"a{name}b" for name in named)]))
    ids = before.known_ids | after.known_ids
    expected = {i: removal.renamed.get(i, before.token_name(i)) for i in ids}
    backs, formerly = after.decode_batch(rows), before.decode_batch(before.encode_batch(texts))
    return RemovalCheck(
        reached=tuple(sorted(removed & found)),
        misnamed=tuple(sorted(i for i, name in expected.items() if name is None or after.token_name(i) != name)),
        lossy=tuple(at for at, (new, old) in enumerate(zip(backs, formerly, strict=True)) if new != old),
    )
