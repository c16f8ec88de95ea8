"""What a tokenizer.json says, read into what the removal of tokens needs."""

import json
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import pre_tokenizers

from harness.errors import Rejected

N_BYTES = 256
_ALLOWED = "a tokenizer.json of kind BPE, Unigram or WordPiece (a tokenizer without one has to be converted first)"
# What a tokenizer that replaces spaces, or cuts at them, gives no piece with a space for.
_WITH_SPACES = ("a b", " a", "a  b", "a\nb c", "x , y")


class Kind(Enum):
    """How a tokenizer's model finds the tokens of a piece of text."""

    BPE = "BPE"
    UNIGRAM = "Unigram"
    WORDPIECE = "WordPiece"


@dataclass(frozen=True, eq=False)
class Definition:
    """A tokenizer.json; never changed, patches are made on a copy."""

    raw: dict[str, Any]

    @classmethod
    def read(cls, text: str | None) -> "Definition":
        """From a file's content; raises `Rejected` where tokens cannot be taken out of such a tokenizer."""
        if text is None:
            raise Rejected(f"tokenizer: got one without a tokenizer.json, allowed: {_ALLOWED}")
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise Rejected(f"tokenizer: got no JSON ({error}), allowed: {_ALLOWED}") from error
        model = raw.get("model") if isinstance(raw, dict) else None
        kind = model.get("type") if isinstance(model, dict) else None
        if kind not in {known.value for known in Kind}:
            raise Rejected(f"tokenizer: got the kind {kind!r}, allowed: {_ALLOWED}")
        return cls(raw)

    def copy(self) -> dict[str, Any]:
        """A `raw` that may be changed."""
        return deepcopy(self.raw)

    @property
    def model(self) -> dict[str, Any]:
        """The part that finds tokens."""
        found: dict[str, Any] = self.raw["model"]
        return found

    @cached_property
    def kind(self) -> Kind:
        """How tokens are found."""
        return Kind(self.model["type"])

    @cached_property
    def backend(self) -> Backend:
        """The tokenizer itself; raises `Rejected` where it cannot be built."""
        return built(self.raw)

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of the model's own tokens by id; added ones that it does not have are missing."""
        vocabulary = self.model["vocab"]
        if isinstance(vocabulary, list):
            return {i: str(name) for i, (name, _) in enumerate(vocabulary)}
        return {int(i): str(name) for name, i in vocabulary.items()}

    @cached_property
    def added(self) -> dict[int, dict[str, Any]]:
        """The entries of added tokens, which are looked for before the model sees a text, by id."""
        return {int(token["id"]): token for token in self.raw.get("added_tokens") or ()}

    @cached_property
    def unknown_id(self) -> int | None:
        """Id of what stands for the unknown."""
        if self.kind is Kind.UNIGRAM:
            found = self.model.get("unk_id")
            return None if found is None else int(found)
        name = self.model.get("unk_token")
        return next((i for i, other in self.names.items() if other == name), None)

    @cached_property
    def is_byte_level(self) -> bool:
        """Whether the model sees bytes, each written as a character."""
        return "ByteLevel" in _types(self.raw.get("pre_tokenizer")) | _types(self.raw.get("normalizer"))

    @cached_property
    def falls_back_on_bytes(self) -> bool:
        """Whether a character without a token of its own becomes the tokens of its bytes, all of which there are."""
        names = set(self.names.values())
        return bool(self.model.get("byte_fallback")) and all(f"<0x{byte:02X}>" in names for byte in range(N_BYTES))

    @cached_property
    def byte_ids(self) -> frozenset[int]:
        """Ids that stand for one byte, without which some text could not be written."""
        if self.is_byte_level:
            alphabet = set(pre_tokenizers.ByteLevel.alphabet())
            return frozenset(i for i, name in self.names.items() if name in alphabet)
        if self.model.get("byte_fallback"):
            hexadecimal = {f"<0x{byte:02X}>" for byte in range(N_BYTES)}
            return frozenset(i for i, name in self.names.items() if name in hexadecimal)
        return frozenset()

    @cached_property
    def spaces_never_arrive(self) -> bool:
        """Whether no piece of text that the model gets holds a space, so that a name with one is in no text."""
        backend = self.backend
        for text in _WITH_SPACES:
            normal = text if backend.normalizer is None else backend.normalizer.normalize_str(text)
            pieces = [(normal, None)]
            if backend.pre_tokenizer is not None:
                pieces = backend.pre_tokenizer.pre_tokenize_str(normal)
            if any(" " in piece for piece, _ in pieces):
                return False
        return True

    def placeholder(self, token_id: int, taken: Collection[str]) -> str:
        """A name that no text holds where `spaces_never_arrive`, and that no other token has."""
        name = f"<removed {token_id}>"
        while name in taken:
            name = name.replace("<removed", "<removed removed", 1)
        return name


def built(raw: dict[str, Any]) -> Backend:
    """The tokenizer that a definition describes; raises `Rejected` where the library refuses it."""
    try:
        return Backend.from_str(json.dumps(raw, ensure_ascii=False))
    except Exception as error:  # the library raises bare Exception for a definition it does not accept
        reason = " ".join(str(error).split())[:160]
        raise Rejected(f"tokenizer: got a definition that cannot be read ({reason}), allowed: {_ALLOWED}") from error


def _types(step: object) -> set[str]:
    if not isinstance(step, dict):
        return set()
    nested = [*(step.get("pretokenizers") or ()), *(step.get("normalizers") or ())]
    return {str(step.get("type"))}.union(*map(_types, nested))
