"""Added tokens are looked for in a text before the model sees it: those that are to go are made the model's own.

A file's added tokens are numbered anew when it is read, one after the other behind the model's tokens, so that an entry
left out of their list would shift those after it. Tokens of the model's own vocabulary have the ids that stand there.
Hence all added tokens get an entry in the vocabulary, and those to be removed leave the list.
"""

from collections.abc import Collection
from typing import Any

from harness.tokens.removal._definition import Definition, Kind


def added_refusal(definition: Definition, token_id: int) -> str | None:
    """Why an added token cannot be taken out of the list; None where it can."""
    if definition.added[token_id].get("special"):
        return "a special token, which prompts and templates place by its id"
    if token_id not in definition.names:
        if definition.kind is Kind.UNIGRAM:
            return "an added token for which a Unigram model has no place"
        if not definition.spaces_never_arrive:
            return "an added token, and no name is known that no text holds"
    return None


def without_added(definition: Definition, ids: Collection[int]) -> Definition:
    """The same tokenizer with these added tokens as tokens of the model, by a name that no text holds where it did not
    have them; itself where none of them is added."""
    leaving = set(ids) & set(definition.added)
    if not leaving:
        return definition
    raw = definition.copy()
    raw["added_tokens"] = [token for i, token in definition.added.items() if i not in leaving]
    vocabulary: dict[str, int] | list[Any] = raw["model"]["vocab"]
    if isinstance(vocabulary, dict):
        for i in sorted(set(definition.added) - set(definition.names)):
            name = str(definition.added[i]["content"])
            vocabulary[definition.placeholder(i, vocabulary) if i in leaving else name] = i
    return Definition(raw)
