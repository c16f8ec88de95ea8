"""Tokenizers of eight kinds, trained on the spot, and what any text at all makes of them."""

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend
from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedTokenizerFast

from harness.models.tokenizers import Tokenizer
from tests.helpers.small_tokenizers import SYLLABLES, WORDS, write_llama

# Words in changing company, a few characters of several scripts, digits and punctuation.
CORPUS = [
    " ".join((*WORDS[n % 7 :], *SYLLABLES[n : n + 12], f"{n}", "tree-house, (sea)!", "déjà đem 日本 naïve"))
    for n in range(0, 340, 2)
]
SIZE = 420
_MOST_NEIGHBOURS = 250


def _wrapped(backend: Backend, name: str, **special: str) -> Tokenizer:
    return Tokenizer(PreTrainedTokenizerFast(tokenizer_object=backend, **special), name)


def byte_level(add_prefix_space: bool = False, added: tuple[str, ...] = ()) -> Tokenizer:
    """Byte-level BPE, as GPT-2's or (with a space in front) RoBERTa's."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=SIZE, initial_alphabet=alphabet, special_tokens=["<|end|>"], show_progress=False
        ),
    )
    backend.add_tokens([AddedToken(text, normalized=False) for text in added])
    return _wrapped(backend, "byte_level", eos_token="<|end|>")


def unigram_alone() -> Tokenizer:
    """Unigram of words between spaces, without bytes, marks or decoder: what it has not seen is unknown."""
    backend = Backend(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(vocab_size=SIZE, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False),
    )
    return _wrapped(backend, "unigram_alone", unk_token="<unk>")


def sentencepiece() -> Tokenizer:
    """Unigram with a mark for spaces and a token for every byte, as T5's and ALBERT's relatives have."""
    trained = Backend(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(vocab_size=SIZE, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False),
    )
    scores = dict.fromkeys(f"<0x{byte:02X}>" for byte in range(256))
    pieces = [("<unk>", 0.0), *((name, -30.0) for name in scores)]
    scored = {name: number for name, number in trained.get_vocab().items() if name != "<unk>"}
    # The trainer keeps its scores to itself; likelier pieces come first.
    pieces += [(name, -2.0 - 0.01 * number) for name, number in sorted(scored.items(), key=lambda item: item[1])]
    backend = Backend(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return _wrapped(backend, "sentencepiece", unk_token="<unk>")


def wordpiece() -> Tokenizer:
    """WordPiece, lower-cased, as BERT's; one token has a capital, which no text leads to."""
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.train_from_iterator(
        CORPUS,
        trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=["[UNK]", "[PAD]"], show_progress=False),
    )
    vocabulary = backend.get_vocab()
    vocabulary |= {"The": len(vocabulary), "two words": len(vocabulary) + 1, "##éa": len(vocabulary) + 2}
    backend.model = models.WordPiece(vocabulary, unk_token="[UNK]")
    return _wrapped(backend, "wordpiece", unk_token="[UNK]", pad_token="[PAD]")


def bpe_with_ends() -> Tokenizer:
    """BPE whose last token of a word ends in `</w>`, as GPT's and CLIP's."""
    backend = Backend(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.BPEDecoder(suffix="</w>")
    backend.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=SIZE, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False),
    )
    return _wrapped(backend, "bpe_with_ends", unk_token="<unk>")


def bytes_alone() -> Tokenizer:
    """Its tokens are bytes, and it has no fast twin (ByT5)."""
    return Tokenizer(ByT5Tokenizer(extra_ids=4), "bytes_alone")


KINDS: Mapping[str, Callable[[], Tokenizer]] = {
    "byte_level": byte_level,
    "byte_level_with_space": lambda: byte_level(add_prefix_space=True),
    "unigram_alone": unigram_alone,
    "sentencepiece": sentencepiece,
    "wordpiece": wordpiece,
    "bpe_with_ends": bpe_with_ends,
    "bytes_alone": bytes_alone,
    "added_tokens": lambda: byte_level(added=("đem", "Ġx", "đã", "<tool>", " two words")),
}


def write_kind(kind: str, folder: Path) -> Path:
    """A tiny model with the tokenizer of one kind."""
    tokenizer = KINDS[kind]()
    tokenizer.save(folder)
    return write_llama(folder, AutoTokenizer.from_pretrained(folder), n_ctx=2_048)


def brute_force(tokenizer: Tokenizer) -> set[int]:
    """Ids that some text leads to: every token's spellings, all pairs of neighbours, in many wrappings."""
    parts = dict.fromkeys(
        spelling
        for i in sorted(tokenizer.known_ids)
        for name in (tokenizer.token_text(i), tokenizer.token_name(i) or "", tokenizer.decode([i]))
        for spelling in (
            name, name.strip(), name.removeprefix("##"), name.removesuffix("</w>"), name.replace("\u2581", " "),
        )
    )  # fmt: skip
    found: set[int] = set()
    texts = [*parts, *CORPUS]
    for left, right in product(("", " ", "a", "x", "«", "-", "t", "\n"), ("", " ", "b", "e", "»", "!", "s")):
        texts += [left + part + right for part in parts]
    neighbours = list(dict.fromkeys(part.strip() for part in parts if "\\" not in part and "\ufffd" not in part))
    neighbours = neighbours[:: 1 + len(neighbours) // _MOST_NEIGHBOURS]
    texts += [left + right for left, right in product(neighbours, neighbours)]
    for start in range(0, len(texts), 20_000):
        for row in tokenizer.encode_batch(texts[start : start + 20_000]):
            found.update(row)
    return found
