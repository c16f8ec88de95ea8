"""Special tokens that nothing known puts into a text."""

from collections.abc import Collection, Mapping

from harness.models.vocab_facts import VocabFacts


def special_without_role(
    facts: VocabFacts, names: Mapping[int, str], chat_templates: Collection[str]
) -> tuple[int, ...]:
    """Special ids that no role (BOS, EOS, PAD, UNK, ...), post-processor or chat template uses, ascending."""
    idle = facts.special_ids - facts.role_ids
    return tuple(sorted(i for i in idle if not any(names.get(i, "") in template for template in chat_templates)))
