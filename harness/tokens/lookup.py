"""One token named by its id or its text."""

import logging
from typing import Protocol, runtime_checkable

from harness.errors import FieldRejected
from harness.tokens._encoder import TextEncoder
from harness.tokens.text import shown

logger = logging.getLogger(__name__)


@runtime_checkable
class NamesTokens(Protocol):
    """A tokenizer that finds tokens by their own text (`harness.models.tokenizers.Tokenizer`)."""

    def ids_of_text(self, text: str) -> tuple[int, ...]:
        """Ids of the tokens whose own text or name is exactly this."""


def other_form(token: int, tokenizer: TextEncoder | None) -> int | None:
    """The token whose text is that of `token` with a space before it, or without the one it has; None for none."""
    if tokenizer is None:
        return None
    text = tokenizer.decode([token])
    if not text.strip():
        return None
    other = text.removeprefix(" ") if text.startswith(" ") else f" {text}"
    found = tokenizer.ids_of_text(other) if isinstance(tokenizer, NamesTokens) else ()
    return found[0] if found else None


def note_of_form(value: int | str, token: int, tokenizer: TextEncoder | None) -> str | None:
    """What to say where a text was given and the vocabulary holds it with and without a space before it."""
    other = other_form(token, tokenizer) if isinstance(value, str) else None
    if other is None or tokenizer is None:
        return None
    taken, beside = (f"{shown(tokenizer.decode([one]))} (id {one})" for one in (token, other))
    return f"Taken is the token {taken}; {beside} is another one (a space before the text is part of it)."


def find_token(value: int | str, d_vocab: int, tokenizer: TextEncoder | None) -> int:
    """The id that `value` means: an id of the vocabulary, the exact text of a token, or a text that encodes to one.

    A tokenizer that puts a space before every text makes ` on` of "on": where a token is exactly "on" that one is
    meant, and the log says that there is another.

    Raises `FieldRejected`, naming the field `token`, for an id outside the vocabulary and for a text that is several
    tokens, with the ids they are.
    """
    an_id = f"an id from 0 to {d_vocab - 1}"
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < d_vocab:
            raise FieldRejected.key("token", value, an_id)
        return value
    if tokenizer is None:
        raise FieldRejected.key("token", value, f"{an_id}: there is no tokenizer to look a text up with")
    ids = tokenizer.encode(str(value))
    exact = tokenizer.ids_of_text(str(value)) if isinstance(tokenizer, NamesTokens) else ()
    exact = tuple(token for token in exact if token < d_vocab)
    if exact and not (len(ids) == 1 and ids[0] in exact):
        others = [*exact[1:], *(ids if len(ids) == 1 else ())]
        if others:
            named = ", ".join(f"{i} {shown(tokenizer.decode([i]))}" for i in others[:6])
            logger.info("token %r is taken to be id %d, its exact text; also there: %s", value, exact[0], named)
        return exact[0]
    if len(ids) == 1:
        return ids[0]
    parts = ", ".join(f"{i} {shown(tokenizer.decode([i]))}" for i in ids[:6])
    allowed = f"one token, by its id or its exact text; this text is {len(ids)} tokens: {parts}"
    raise FieldRejected.key("token", value, allowed)
