"""One tokenizer as the harness sees it: ids in, ids out, nothing added and nothing cleaned up."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class Tokenizer:
    """A tokenizer's ids, texts, bytes and merges; wraps one of transformers' tokenizers."""

    def __init__(self, backend: Any, name: str) -> None:
        self.name = name
        self._backend = backend

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, with no special token added at either end."""
        return [int(i) for i in self._backend.encode(text, add_special_tokens=False)]

    def encode_byte(self, byte: int) -> tuple[int, ...] | None:
        """What one byte of a text becomes by itself, UTF-8 or not; None where the tokenizer knows no bytes."""
        backend = getattr(self._backend, "backend_tokenizer", None)
        if backend is not None and self._is_byte_level:
            return tuple(int(token.id) for token in backend.model.tokenize(_CHARACTER_OF_BYTE[byte]))
        if all(self.byte_id(other) is None for other in range(256)):
            return None
        found = self.byte_id(byte)
        if found is not None:
            return (found,)
        unknown: int | None = self._backend.unk_token_id
        return () if unknown is None else (unknown,)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`, special tokens shown and spaces left as they are."""
        row = [int(i) for i in ids]
        if self._misread and not self._misread.isdisjoint(row):
            return "".join(self._decoded_parts(row))
        decoded: str = self._backend.decode(row, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return decoded

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """What `encode` gives for every text, many times faster for a whole vocabulary."""
        if not texts:
            return []
        backend = getattr(self._backend, "backend_tokenizer", None)
        if backend is not None:
            return [encoding.ids for encoding in backend.encode_batch_fast(list(texts), add_special_tokens=False)]
        return [[int(i) for i in ids] for ids in self._backend(list(texts), add_special_tokens=False)["input_ids"]]

    def decode_batch(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """What `decode` gives for every row of ids."""
        if not rows:
            return []
        decoded: list[str] = self._backend.batch_decode(
            [list(ids) for ids in rows], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        if not self._misread:
            return decoded
        return [
            said if self._misread.isdisjoint(row) else "".join(self._decoded_parts(row))
            for row, said in zip(rows, decoded, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files into `folder`, beside a model that uses it."""
        self._backend.save_pretrained(str(folder))

    def token_text(self, token_id: int) -> str:
        r"""The text of one token by itself: leading spaces kept, bytes that are no UTF-8 as `\xf5`.

        An id that the tokenizer does not know (more embedding rows than tokens) reads `<id 50300>`.
        """
        name = self._names.get(token_id)
        if name is None:
            return f"<id {token_id}>"
        return name if token_id in self._added else self._spelled(name)

    def spellings(self, token_id: int) -> tuple[str, ...]:
        """The texts that a token may stand for, its own first: without the marks of a word's middle (`##`) and end
        (`</w>`) as well, since these are in no text."""
        name = self._names.get(token_id)
        if name is None or token_id in self._added:
            return (self.token_text(token_id),)
        prefix, suffix = self._word_marks
        inner, ended = name.removeprefix(prefix), name.removesuffix(suffix)
        return tuple(dict.fromkeys(map(self._spelled, (name, inner, ended, inner.removesuffix(suffix)))))

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids of special tokens: the named ones (bos, eos, unk, pad, ...) and added ones flagged special."""
        flagged = {i for i, token in self._backend.added_tokens_decoder.items() if token.special}
        return frozenset(int(i) for i in (*self._backend.all_special_ids, *flagged) if i is not None)

    @cached_property
    def role_ids(self) -> frozenset[int]:
        """Special ids with a job: those that have a name of their own (bos, eos, pad, ...), and those that this
        tokenizer puts around a text."""
        named = (self._vocabulary.get(text) for text in self.special_texts.values())
        added = set(self._backend("a")["input_ids"]) & self.special_ids
        return frozenset(i for i in named if i is not None) | frozenset(int(i) for i in added)

    @property
    def bos_id(self) -> int | None:
        """Id of the beginning-of-sequence token; None where the tokenizer has none."""
        bos: int | None = self._backend.bos_token_id
        return bos

    @cached_property
    def adds_bos(self) -> bool:
        """Whether the tokenizer itself puts a beginning-of-sequence token in front of a text."""
        return self.bos_id is not None and self.bos_id in self._backend("a")["input_ids"][:1]

    @property
    def special_texts(self) -> dict[str, str]:
        """The named special tokens as text (`bos_token`, ...), for a chat template to refer to."""
        return {name: str(text) for name, text in self._backend.special_tokens_map.items() if isinstance(text, str)}

    def token_name(self, token_id: int) -> str | None:
        """How the vocabulary spells a token (`Ġthe`, `▁the`, `##ing`); None for an id without one."""
        return self._names.get(token_id)

    def ids_of_text(self, text: str) -> tuple[int, ...]:
        """Ids of the tokens whose own text or name is exactly this, ascending."""
        return tuple(sorted(i for i, name in self._names.items() if text in (name, self.token_text(i))))

    def ids_by_score(self) -> list[int]:
        """Ids of a Unigram vocabulary by their log-probability, the likeliest first; empty for any other kind."""
        model = self._definition.get("model", {})
        if model.get("type") != "Unigram":
            return []
        scores = [float(score) for _, score in model.get("vocab", ())]
        return sorted(range(len(scores)), key=lambda i: -scores[i])

    @cached_property
    def n_tokens(self) -> int:
        """How many ids have a token."""
        return len(self._names)

    @cached_property
    def known_ids(self) -> frozenset[int]:
        """The ids that have a token."""
        return frozenset(self._names)

    def byte_id(self, byte: int) -> int | None:
        """Id of the token that stands for one byte (0-255); None where the tokenizer has no such token."""
        if not 0 <= byte <= 255:
            raise ValueError(f"a byte lies in 0..255, not {byte}")
        if self._is_byte_level:
            name = _CHARACTER_OF_BYTE[byte]
        else:
            name = chr(byte) if self._has_bytes_alone else f"<0x{byte:02X}>"
        found = self._vocabulary.get(name)
        # An added token of one character is that character, not the byte it stands for elsewhere.
        return None if found in self._added and found not in self._model_ids else found

    def merges(self) -> list[int]:
        """Ids made by BPE merges, in the order the merges were learnt; empty where the tokenizer is no BPE."""
        model = self._definition.get("model", {})
        if model.get("type") != "BPE":
            return []
        made = (self._vocabulary.get(left + right) for left, right in map(_merge_parts, model.get("merges", ())))
        return list(dict.fromkeys(i for i in made if i is not None))

    def merge_parts(self) -> dict[int, tuple[int, int]]:
        """Which two ids a BPE merge puts together to make an id (the first such merge); empty for no BPE."""
        model = self._definition.get("model", {})
        if model.get("type") != "BPE":
            return {}
        found: dict[int, tuple[int, int]] = {}
        for left, right in map(_merge_parts, model.get("merges", ())):
            made, a, b = (self._vocabulary.get(name) for name in (left + right, left, right))
            if made is not None and a is not None and b is not None:
                found.setdefault(made, (a, b))
        return found

    @property
    def chat_template(self) -> str | None:
        """The Jinja template of a chat model; None where there is none."""
        template: str | None = self._backend.chat_template
        return template

    @property
    def chat_templates(self) -> tuple[str, ...]:
        """Every chat template, where a tokenizer has several for several uses."""
        template = self._backend.chat_template
        if isinstance(template, dict):
            return tuple(map(str, template.values()))
        return () if template is None else (str(template),)

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return {str(name): int(i) for name, i in self._backend.get_vocab().items()}

    @cached_property
    def _names(self) -> dict[int, str]:
        return {i: name for name, i in self._vocabulary.items()}

    @cached_property
    def _added(self) -> frozenset[int]:
        return frozenset(int(i) for i in self._backend.added_tokens_decoder)

    @cached_property
    def _model_ids(self) -> frozenset[int]:
        """Ids of the vocabulary that was learnt, added tokens apart."""
        learnt = self._definition.get("model", {}).get("vocab", ())
        return frozenset(range(len(learnt)) if isinstance(learnt, list) else map(int, dict(learnt).values()))

    @cached_property
    def _misread(self) -> frozenset[int]:
        """Added tokens of which a byte-level decoder takes the characters for bytes (`đem`)."""
        if not self._is_byte_level:
            return frozenset()
        added = sorted(self._added)
        said = self._backend.batch_decode(
            [[i] for i in added], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return frozenset(i for i, text in zip(added, said, strict=True) if text != self._names.get(i, text))

    def _decoded_parts(self, ids: Sequence[int]) -> Iterator[str]:
        """The text between misread tokens, and theirs."""
        for is_misread, part in groupby(ids, self._misread.__contains__):
            inside = list(part)
            if is_misread:
                yield from (self._names[i] for i in inside)
            else:
                yield self._backend.decode(inside, skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def _spelled(self, name: str) -> str:
        """What a name in the vocabulary says."""
        if not self._is_byte_level and not self._has_bytes_alone:
            return name.replace("▁", " ")
        bytes_of = _BYTE_OF_CHARACTER if self._is_byte_level else _BYTE_OF_LATIN
        raw = [bytes_of.get(character) for character in name]
        if None in raw:
            return name
        return bytes(byte for byte in raw if byte is not None).decode("utf-8", errors="backslashreplace")

    @cached_property
    def _word_marks(self) -> tuple[str, str]:
        """What marks tokens that go on with a word, and tokens that end one; empty where nothing does."""
        model = self._definition.get("model", {})
        return model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix") or ""

    @cached_property
    def _has_bytes_alone(self) -> bool:
        """Whether the tokens of a text are its bytes, each named by the character of its number (ByT5)."""
        if self._definition or any(chr(byte) not in self._vocabulary for byte in range(128, 256)):
            return False
        probe = "é€"
        return self.encode(probe) == [self._vocabulary[chr(byte)] for byte in probe.encode()]

    @property
    def definition(self) -> str | None:
        """What tokenizer.json holds, whichever files it was made from; None for a tokenizer in pure Python."""
        backend = getattr(self._backend, "backend_tokenizer", None)
        return None if backend is None else str(backend.to_str())

    @cached_property
    def _definition(self) -> dict[str, Any]:
        return dict(json.loads(self.definition or "{}"))

    @cached_property
    def _is_byte_level(self) -> bool:
        steps = (self._definition.get("decoder"), self._definition.get("pre_tokenizer"))
        return any("ByteLevel" in _step_types(step) for step in steps)


def _merge_parts(merge: str | Sequence[str]) -> tuple[str, str]:
    # Older tokenizer.json files write a merge as "a b", newer ones as ["a", "b"].
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _step_types(step: object) -> set[str]:
    if not isinstance(step, dict):
        return set()
    nested = [*(step.get("decoders") or ()), *(step.get("pretokenizers") or ())]
    return {str(step.get("type"))}.union(*map(_step_types, nested))


def _byte_characters() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte: Latin-1 where it prints, then code points from 256 on in order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


_CHARACTER_OF_BYTE = _byte_characters()
_BYTE_OF_CHARACTER = {character: byte for byte, character in _CHARACTER_OF_BYTE.items()}
_BYTE_OF_LATIN = {chr(byte): byte for byte in range(256)}
