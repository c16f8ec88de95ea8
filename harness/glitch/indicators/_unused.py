"""Which ids of a model are known to be unused, with nothing but its name and its tokenizer to go by."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import FieldRejected
from harness.models.vocab_facts import VocabFacts

_FIRST_LEAD_BYTE_BEYOND_UNICODE = 0xF5

# Land & Bartolo 2024, magikarp/unused_tokens.py: by hand, per family of models.
_PUBLISHED: tuple[tuple[str, range], ...] = (
    (r"gpt2|gpt-j-6b|phi-2", range(177, 188)),
    (r"pythia|gpt-neox", range(173, 174)),
    (r"llama-?2", range(58, 130)),
    (r"mistral", range(14, 131)),
    (r"gemma-(2b|7b)", range(7, 106)),
    (r"olmo", range(50280, 50304)),
    (r"deepseek-llm", range(101000, 102000)),
)


@dataclass(frozen=True)
class UnusedIds:
    """Ids taken to be unused, and by which rule."""

    ids: tuple[int, ...]
    rule: str
    """One sentence."""


def known_unused_ids(facts: VocabFacts, given: Iterable[int] | None = None) -> UnusedIds:
    """Ids that training cannot have shown. The first of these that gives any:

    1. `given`, from the config;
    2. the published list of the model's family, so that published indicators can be compared with;
    3. the bytes 0xF5 to 0xFF, which no UTF-8 text holds, where the tokenizer has tokens for them;
    4. rows of the embedding that the tokenizer has no token for.

    Known training counts are never looked at: a detector that is judged against them must not know them.
    Raises `FieldRejected` where no rule gives an id, or a given id is not in the vocabulary.
    """
    if given is not None and (ids := tuple(dict.fromkeys(given))):
        outside = [i for i in ids if not 0 <= i < facts.d_vocab]
        if outside:
            raise FieldRejected.key("unused_ids", outside[0], f"ids from 0 to {facts.d_vocab - 1}")
        return UnusedIds(ids, "given in the config")
    for pattern, published in _PUBLISHED:
        if re.search(pattern, facts.label, flags=re.IGNORECASE) and published.stop <= facts.d_vocab:
            return UnusedIds(tuple(published), "the ids Land & Bartolo 2024 list for this family of models")
    in_no_text = facts.byte_ids[_FIRST_LEAD_BYTE_BEYOND_UNICODE:]
    if ids := tuple(i for i in in_no_text if i is not None):
        return UnusedIds(ids, "tokens of the bytes 0xF5 to 0xFF, which no UTF-8 text holds")
    if facts.unnamed_ids:
        return UnusedIds(facts.unnamed_ids, "rows of the embedding that the tokenizer has no token for")
    raise FieldRejected(
        f"unused_ids: none known for {facts.label}: it has no tokens for unused bytes, no rows without a token "
        "and no published list; allowed: ids that training never showed, e.g. ",
        "unused_ids=[5,7]",
    )
