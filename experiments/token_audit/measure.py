"""How exp=token_audit is measured."""

from typing import Any

import numpy as np

from experiments.token_audit.config import TokenAudit
from harness.models.tokenizers import Tokenizer
from harness.runs.context import Outcome, Run
from harness.tokens.vocabulary_audit import AuditedToken, ByteType, Category, VocabularyAudit, audit_vocabulary


def measure(run: Run[TokenAudit]) -> Outcome:
    """The vocabulary audit of the run's tokenizer."""

    tokenizer = run.tokenizer
    n_rows = run.facts.d_vocab if run.has_model else None
    with run.timer("audit"):
        audit = audit_vocabulary(tokenizer, n_rows)
    beyond = sorted(i for i in tokenizer.known_ids if n_rows is not None and i >= n_rows)
    _say_what_does_not_match(run, audit, beyond)
    run.records.append(_row(token, tokenizer) for token in audit.tokens)
    position = {category: i for i, category in enumerate(Category)}
    return Outcome(
        metrics(audit) | {"tokens_without_row": len(beyond)},
        {
            "category": np.array([position[token.category] for token in audit.tokens], dtype=np.int64),
            "byte": np.array([-1 if token.byte is None else token.byte for token in audit.tokens], dtype=np.int64),
        },
        {"categories": [category.value for category in Category], "tokenizer": tokenizer.name, "n_rows": n_rows},
    )


def metrics(audit: VocabularyAudit) -> dict[str, int]:
    """Counts of ids; `bytes` + `special` + `utf8_fragments` + `unreachable` + `ok` + `no_token` = `ids`."""

    counts = audit.counts
    one, several = counts[Category.UNREACHABLE_ONE], counts[Category.UNREACHABLE_SEVERAL]
    lost = audit.of(Category.UNREACHABLE_ONE, Category.UNREACHABLE_SEVERAL)
    return {
        "ids": len(audit.tokens),
        "bytes": counts[Category.BYTE],
        **{f"bytes/{kind.value}": audit.byte_counts[kind] for kind in ByteType},
        "special": counts[Category.SPECIAL],
        "utf8_fragments": counts[Category.UTF8_FRAGMENT],
        "unreachable": one + several,
        "unreachable/one": one,
        "unreachable/several": several,
        "unreachable/looks_special": sum(token.looks_special for token in lost),
        "ok": counts[Category.OK],
        "ok/genuine_replacement": audit.n_genuine_replacements,
        "no_token": counts[Category.NO_TOKEN],
    }


def _say_what_does_not_match(run: Run[TokenAudit], audit: VocabularyAudit, beyond: list[int]) -> None:

    unnamed = [token.id for token in audit.of(Category.NO_TOKEN)]
    if unnamed:
        run.note(
            f"{len(unnamed)} of {len(audit.tokens)} embedding rows (from id {unnamed[0]}) have no token in the "
            "tokenizer: they count as no_token, since no text leads to them"
        )
    if beyond:
        run.note(f"{len(beyond)} tokens (from id {beyond[0]}) have no row in the embedding and are left out")


def _row(token: AuditedToken, tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "item": str(token.id),
        "id": token.id,
        "category": token.category.value,
        "text": token.text,
        "raw": tokenizer.token_text(token.id),
        "byte": token.byte,
        "byte_type": token.byte_type.value if token.byte_type else None,
        "encodes_to": list(token.encodes_to),
        "looks_special": token.looks_special,
    }
