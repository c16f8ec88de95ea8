"""Ids that were published as unused, recognised by what they are in the tokenizer at hand, never by a model's name.

Source: Land & Bartolo 2024, cohere-ai/magikarp, unused_tokens.py: by hand, per family of models.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.models.vocab_facts import VocabFacts
from harness.tokens.evidence import TokenEvidence

_FIRST_LEAD_BYTE_BEYOND_UNICODE = 0xF5
_THE = "▁the"


@dataclass(frozen=True)
class PublishedIds:
    """One list, and how it is recognised."""

    ids: range
    tokenizer: str
    """Whose they are."""
    fits: Callable[[TokenEvidence, range], bool]


def published_ids(evidence: TokenEvidence) -> PublishedIds | None:
    """The list whose ids are, in this tokenizer, what they were where it was made; None where there is none."""
    lists = (entry for entry in _PUBLISHED if entry.ids.stop <= evidence.facts.d_vocab)
    return next((entry for entry in lists if entry.fits(evidence, entry.ids)), None)


def _are_bytes(facts: VocabFacts, ids: range, first: int) -> bool:
    """Whether ids stand for consecutive bytes from `first` on."""
    return facts.byte_ids[first : first + len(ids)] == tuple(ids)


def _is_gpt2(evidence: TokenEvidence, ids: range) -> bool:
    return _are_bytes(evidence.facts, ids, _FIRST_LEAD_BYTE_BEYOND_UNICODE)


def _is_neox(evidence: TokenEvidence, ids: range) -> bool:
    # Its alphabet stops before the bytes beyond Unicode: F1 is the last that no text of its training held.
    beyond = evidence.facts.byte_ids[_FIRST_LEAD_BYTE_BEYOND_UNICODE:]
    return _are_bytes(evidence.facts, ids, 0xF1) and not any(beyond)


def _spare_bytes(first: int, the: int) -> Callable[[TokenEvidence, range], bool]:
    """Byte tokens of ASCII characters that have tokens of their own; which of them, the rest of the vocabulary says."""

    def fits(evidence: TokenEvidence, ids: range) -> bool:
        vocabulary = evidence.vocabulary
        return vocabulary is not None and _are_bytes(evidence.facts, ids, first) and vocabulary.token_name(the) == _THE

    return fits


def _is_gemma(evidence: TokenEvidence, ids: range) -> bool:
    vocabulary = evidence.vocabulary
    return vocabulary is not None and all(
        vocabulary.token_name(token) == f"<unused{number}>" for number, token in enumerate(ids)
    )


def _is_all_padding(evidence: TokenEvidence, ids: range) -> bool:
    return evidence.facts.unnamed_ids == tuple(ids)


def _is_deepseek(evidence: TokenEvidence, ids: range) -> bool:
    return evidence.facts.d_vocab == 102_400 and set(ids) <= set(evidence.facts.unnamed_ids)


_PUBLISHED = (
    PublishedIds(range(177, 188), "GPT-2", _is_gpt2),
    PublishedIds(range(173, 174), "GPT-NeoX", _is_neox),
    PublishedIds(range(58, 130), "LLaMA", _spare_bytes(0x37, 278)),
    PublishedIds(range(14, 131), "Mistral", _spare_bytes(0x0B, 272)),
    PublishedIds(range(7, 106), "Gemma", _is_gemma),
    PublishedIds(range(50280, 50304), "OLMo", _is_all_padding),
    PublishedIds(range(101_000, 102_000), "DeepSeek LLM", _is_deepseek),
)
