"""From a template to token ids: the text around the slots is encoded, the id under study is spliced in.

Magikarp encodes the whole prompt around a placeholder token and swaps its ids afterwards. Here the pieces between the
slots are encoded one by one, which needs no search for a placeholder. The two agree where no token spans a slot's
edge: at every slot of our templates a piece begins and ends with a quotation mark, a line break or nothing. One trap
is left: a tokenizer that marks the start of every text with a space would mark the start of every piece. Pieces
after a slot are therefore encoded after a letter, whose own ids are cut off again.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from harness.tokens.prompts._templates import SLOT, PromptTemplate

Encode: TypeAlias = Callable[[str], Sequence[int]]
"""Text to ids, without special tokens."""

# A letter: no byte-pair tokenizer in use merges a letter with the quotation mark or line break that follows it.
_ANCHOR = "a"


def build_prompt(template: PromptTemplate, token_id: int, encode: Encode) -> list[int]:
    """The prompt's ids with `token_id` in every slot and no BOS in front (that is the caller's to add)."""
    return splice(template.text, token_id, encode)


def splice(text: str, token_id: int, encode: Encode) -> list[int]:
    """The ids of `text`, a prompt with `{token}` slots (a rendered chat, say), with `token_id` in every slot."""
    first, *others = text.split(SLOT)
    ids = list(encode(first)) if first else []
    encoded: dict[str, list[int]] = {}
    for piece in others:
        if piece not in encoded:
            encoded[piece] = _encode_after_slot(piece, encode)
        ids += [token_id, *encoded[piece]]
    return ids


def _encode_after_slot(piece: str, encode: Encode) -> list[int]:
    if not piece:
        return []
    anchor, both = list(encode(_ANCHOR)), list(encode(_ANCHOR + piece))
    if both[: len(anchor)] == anchor:
        return both[len(anchor) :]
    return list(encode(piece))
