"""One token named by its id or its text."""

from harness.errors import FieldRejected
from harness.tokens._encoder import TextEncoder
from harness.tokens.text import shown


def find_token(value: int | str, d_vocab: int, tokenizer: TextEncoder | None) -> int:
    """The id that `value` means: an id of the vocabulary, or a text that is one token as it stands.

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
    if len(ids) == 1:
        return ids[0]
    parts = ", ".join(f"{i} {shown(tokenizer.decode([i]))}" for i in ids[:6])
    allowed = f"one token, by its id or its exact text; this text is {len(ids)} tokens: {parts}"
    raise FieldRejected.key("token", value, allowed)
