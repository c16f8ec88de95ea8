"""How exp=token_audit is measured."""

from collections.abc import Callable
from typing import Any
from unicodedata import category

import numpy as np

from experiments.token_audit.config import TokenAudit
from harness.models.tokenizers import Tokenizer
from harness.runs.context import Outcome, Run
from harness.tokens.lossiness import FATES, Fate, Losses, Stretch, find_losses
from harness.tokens.text import shown
from harness.tokens.vocabulary_audit import AuditedToken, ByteType, Category, VocabularyAudit, audit_vocabulary

_MOST_LISTED = 2_000
# Unassigned, private.
_NO_MEANING = ("Cn", "Co")


def measure(run: Run[TokenAudit]) -> Outcome:
    """The vocabulary audit of the run's tokenizer."""

    tokenizer = run.tokenizer
    n_rows = run.facts.d_vocab if run.has_model else None
    with run.timer("audit"):
        audit = audit_vocabulary(tokenizer, n_rows)
    with run.timer("losses"):
        losses = find_losses(tokenizer)
    beyond = sorted(i for i in tokenizer.known_ids if n_rows is not None and i >= n_rows)
    _say_what_does_not_match(run, audit, beyond)
    _say_what_is_lost(run, losses)
    run.records.append(_row(token, tokenizer) for token in audit.tokens)
    position = {kind: i for i, kind in enumerate(Category)}
    return Outcome(
        {**metrics(audit), "tokens_without_row": len(beyond), **loss_metrics(losses)},
        {
            "category": np.array([position[token.category] for token in audit.tokens], dtype=np.int64),
            "byte": np.array([-1 if token.byte is None else token.byte for token in audit.tokens], dtype=np.int64),
            "byte_fate": losses.byte_fates,
            "character_fate": losses.character_fates,
        },
        {
            "categories": [kind.value for kind in Category],
            "fates": [fate.value for fate in FATES],
            "tokenizer": tokenizer.name,
            "n_rows": n_rows,
            "lost_characters": [_stretch(one) for one in losses.stretches[:_MOST_LISTED]],
        },
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


def loss_metrics(losses: Losses) -> dict[str, int | None]:
    """How many bytes and characters do not come back, by fate; null for what could not be tried.

    Assigned characters are those that Unicode has given a meaning, private ones left out.
    """
    has_bytes, has_characters = bool((losses.byte_fates >= 0).any()), bool((losses.character_fates >= 0).any())
    fates = losses.character_fates
    assigned = [code for code in np.flatnonzero(fates > 0).tolist() if category(chr(code)) not in _NO_MEANING]
    silent = [FATES.index(fate) for fate in Fate if fate.is_silent]
    return {
        **_counted("lost/bytes", losses.n_bytes if has_bytes else None),
        **_counted("lost/characters", losses.n_characters if has_characters else None),
        "lost/assigned_characters": len(assigned) if has_characters else None,
        "lost/assigned_characters/silent": int(np.isin(fates[assigned], silent).sum()) if has_characters else None,
    }


def _counted(name: str, count: Callable[..., int] | None) -> dict[str, int | None]:
    lost = [fate for fate in Fate if fate is not Fate.KEPT]
    found = {f"{name}/{fate.value}": None if count is None else count(fate) for fate in lost}
    return {name: None if count is None else count(*lost), **found}


def _say_what_is_lost(run: Run[TokenAudit], losses: Losses) -> None:
    silent = [fate for fate in Fate if fate.is_silent]
    n_bytes, n_characters = losses.n_bytes(*silent), losses.n_characters(*silent)
    if not (losses.character_fates >= 0).any():
        run.note("No character comes through this tokenizer as it was: what it loses was not looked at.")
    if n_bytes or n_characters:
        n_assigned = loss_metrics(losses)["lost/assigned_characters/silent"]
        run.note(
            f"This tokenizer loses text in silence: {n_bytes} of 256 bytes and {n_characters:,} of 1,112,064 "
            f"characters ({n_assigned:,} of them assigned) vanish or come back as something else, and no token says so."
        )


def _stretch(stretch: Stretch) -> dict[str, Any]:
    return {
        "first": stretch.first,
        "last": stretch.last,
        "fate": stretch.fate.value,
        "example": shown(stretch.example) if stretch.example else "",
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
        "is_reachable": token.is_reachable,
        "looks_special": token.looks_special,
    }
