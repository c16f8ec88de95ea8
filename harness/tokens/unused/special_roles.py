"""Which special tokens something known puts into a text, and which nothing does."""

from collections.abc import Collection, Mapping

from harness.models.vocab_facts import VocabFacts


def special_with_role(facts: VocabFacts, names: Mapping[int, str], chat_templates: Collection[str]) -> frozenset[int]:
    """Ids that a role (BOS, EOS, PAD, UNK, ...) or a post-processor uses, and special ones of a chat template."""
    in_template = {i for i in facts.special_ids if any(names.get(i, "") in template for template in chat_templates)}
    return facts.role_ids | in_template


def special_without_role(
    facts: VocabFacts, names: Mapping[int, str], chat_templates: Collection[str]
) -> tuple[int, ...]:
    """Special ids that no role, post-processor or chat template uses, ascending."""
    return tuple(sorted(facts.special_ids - special_with_role(facts, names, chat_templates)))
