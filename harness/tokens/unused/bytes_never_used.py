"""Tokens of single bytes that no UTF-8 text holds."""

from harness.models.vocab_facts import VocabFacts

# UTF-8 needs neither the overlong lead bytes C0 and C1 nor lead bytes beyond U+10FFFF.
BYTES_UTF8_NEVER_HOLDS = (0xC0, 0xC1, *range(0xF5, 0x100))


def bytes_never_used(facts: VocabFacts) -> tuple[int, ...]:
    """Their ids, ascending; from a partial alphabet those that are there."""
    if not facts.byte_ids:
        return ()
    found = (facts.byte_ids[byte] for byte in BYTES_UTF8_NEVER_HOLDS)
    return tuple(sorted(i for i in found if i is not None))
