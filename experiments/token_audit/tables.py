"""Tables of one token_audit run, from its stored files."""

from unicodedata import name

import pandas as pd

from harness.reporting.display import Table
from harness.reporting.words import CATEGORIES
from harness.runs.results.stored_run import StoredRun
from harness.tokens.vocabulary_audit import byte_type

_BYTE = "byte"
KINDS = {
    **CATEGORIES,
    "unreachable_one": "unreachable: one other token",
    "unreachable_several": "unreachable: several tokens",
}
_FATE_WORDS = {"vanished": "vanishes", "changed": "comes back as something else", "unknown": "unknown token"}
_BYTE_WORDS = {"ascii": "ASCII", "utf8": "UTF-8", "unused_utf8": "in no UTF-8 text"}


def categories(run: StoredRun) -> pd.DataFrame | None:
    """Each kind with its count, share and types."""
    records = run.records
    if records.empty:
        return None
    rows = []
    for kind, words in KINDS.items():
        members = records[records["category"] == kind]
        rows.append({"category": words, "ids": len(members), "share": len(members) / len(records)})
        if kind == _BYTE:
            for of, text in _BYTE_WORDS.items():
                n = int((members["byte_type"] == of).sum())
                rows.append({"category": f"single byte, {text}", "ids": n, "share": n / len(records)})
    return pd.DataFrame(rows)


def byte_tokens(run: StoredRun) -> pd.DataFrame | None:
    """The tokens that stand for one byte."""
    members = _members(run, _BYTE)
    if members is None:
        return None
    ordered = members.sort_values("byte")
    return pd.DataFrame(
        {
            "byte": [f"0x{int(byte):02X}" for byte in ordered["byte"]],
            "id": ordered["id"].to_numpy(),
            "type": [_BYTE_WORDS[kind] for kind in ordered["byte_type"]],
            "text": ordered["raw"].to_numpy(),
        }
    )


def special_tokens(run: StoredRun) -> pd.DataFrame | None:
    """The special tokens."""
    members = _members(run, "special")
    return None if members is None else members[["id", "text"]].reset_index(drop=True)


def fragments(run: StoredRun) -> pd.DataFrame | None:
    """Tokens that are part of a character, and what their damaged text encodes to."""
    return _with_encoding(run, "utf8_fragment")


def unreachable(run: StoredRun) -> pd.DataFrame | None:
    """Tokens that no text leads to, and what their text encodes to instead."""
    return _with_encoding(run, "unreachable_one", "unreachable_several")


def genuine_replacements(run: StoredRun) -> pd.DataFrame | None:
    """Ordinary tokens whose text really holds U+FFFD."""
    members = _members(run, "ok")
    if members is None:
        return None
    members = members[members["text"].str.contains("\ufffd", regex=False)]
    return None if members.empty else members[["id", "text"]].reset_index(drop=True)


def lost_bytes(run: StoredRun) -> pd.DataFrame | None:
    """The bytes that do not come back."""
    fates = run.arrays["byte_fate"]
    lost = [byte for byte in range(len(fates)) if fates[byte] > 0]
    if not lost:
        return None
    return pd.DataFrame(
        {
            "byte": [f"0x{byte:02X}" for byte in lost],
            "type": [_BYTE_WORDS[byte_type(byte).value] for byte in lost],
            "fate": [_FATE_WORDS[run.details["fates"][fates[byte]]] for byte in lost],
        }
    )


def lost_characters(run: StoredRun) -> pd.DataFrame | None:
    """The characters that do not come back, neighbours of one fate together."""
    stretches = run.details["lost_characters"]
    if not stretches:
        return None
    return pd.DataFrame(
        {
            "first": [f"U+{one['first']:04X}" for one in stretches],
            "last": [f"U+{one['last']:04X}" for one in stretches],
            "characters": [one["last"] - one["first"] + 1 for one in stretches],
            "fate": [_FATE_WORDS[one["fate"]] for one in stretches],
            "name of the first": [name(chr(one["first"]), "") for one in stretches],
            "comes back as": [one["example"] for one in stretches],
        }
    )


def _members(run: StoredRun, *names: str) -> pd.DataFrame | None:
    records = run.records
    if records.empty:
        return None
    members = records[records["category"].isin(names)]
    return None if members.empty else members


def _with_encoding(run: StoredRun, *names: str) -> pd.DataFrame | None:
    members = _members(run, *names)
    if members is None:
        return None
    texts = dict(zip(run.records["id"], run.records["raw"], strict=True))
    return pd.DataFrame(
        {
            "id": members["id"].to_numpy(),
            "text": members["raw"].to_numpy(),
            "encodes to": [" ".join(str(i) for i in ids) for ids in members["encodes_to"]],
            "which read": [" | ".join(texts.get(i, "") for i in ids) for ids in members["encodes_to"]],
        }
    )


TABLES = (
    Table("categories", "How many ids are of each kind.", categories),
    Table("byte_tokens", "Tokens that stand for one byte.", byte_tokens),
    Table("special_tokens", "Special tokens.", special_tokens),
    Table("utf8_fragments", "Tokens that are part of a character: no text leads to them alone.", fragments),
    Table("unreachable", "Tokens that no text leads to, and what their text encodes to.", unreachable),
    Table("lost_bytes", "Bytes that do not come back when they are encoded and decoded.", lost_bytes),
    Table(
        "lost_characters",
        "Characters that do not come back when they are encoded and decoded; the first 2,000 stretches of neighbours "
        "with one fate.",
        lost_characters,
    ),
    Table(
        "genuine_replacements",
        "Ordinary tokens that really hold U+FFFD: they survive the round trip and are no fragments.",
        genuine_replacements,
    ),
)
