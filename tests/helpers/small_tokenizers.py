"""Tiny models with tokenizers of every kind, made on the spot."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

WORDS = (
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "dog",
    "ran",
    "to",
    "house",
    "big",
    "red",
    "and",
    "fish",
    "sun",
    "tree",
    "sea",
)
SYLLABLES = tuple(f"{a}{b}{c}" for a in "bdfgklmnpr" for b in "aeiou" for c in "bdglmtz" if f"{a}{b}{c}" not in WORDS)
"""More words, some 350: for a vocabulary large enough to draw from."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def wordpiece(extra: tuple[str, ...] = ()) -> Tokenizer:
    """Words, letters and continuations; `extra` tokens last."""
    names = [*BERT_SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS, "##ing", "##ed", *extra]
    tokenizer = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in BERT_SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def unigram(extra: tuple[str, ...] = ()) -> Tokenizer:
    """Words with and without a space in front, letters, `extra` words last; no bytes. `▁the` is the likeliest."""
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁", -6.0)]
    pieces += [(f"▁{word}", -2.0 - 0.1 * place) for place, word in enumerate(WORDS)]
    pieces += [(word, -5.0 - 0.1 * place) for place, word in enumerate(WORDS)]
    pieces += [(letter, -9.0) for letter in LETTERS]
    pieces += [(f"▁{word}", -7.0) for word in extra]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in ("<unk>", "<s>", "</s>")])
    return tokenizer


def byte_level(special: tuple[str, ...] = ("<|endoftext|>",), left_out: tuple[int, ...] = ()) -> Tokenizer:
    """Byte-level BPE whose alphabet lacks the bytes `left_out` stands for; `special` tokens come first."""
    shown = sorted(pre_tokenizers.ByteLevel.alphabet())
    # GPT-2 writes bytes from A1 on (but AD) as the character of the same number.
    letters = [letter for letter in shown if ord(letter) not in left_out]
    names = {name: i for i, name in enumerate([*special, *letters])}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("o", "n"), ("i", "n"), ("e", "r"), ("a", "n"), ("c", "a")]
    for left, right in merges:
        names[left + right] = len(names)
    tokenizer = Tokenizer(models.BPE(names, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return tokenizer


def split_on(pattern: str) -> pre_tokenizers.PreTokenizer:
    """A pre-tokenizer that keeps what matches apart."""
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def write_model(
    folder: Path, tokenizer: Tokenizer, extra_rows: int = 0, chat: str | None = None, n_ctx: int = 256, **named: str
) -> Path:
    """A tiny Llama with random rows, all distinct, and this tokenizer; `named`: bos_token and others."""
    import transformers as tf

    wrapped = tf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    if chat is not None:
        wrapped.chat_template = chat
    return write_llama(folder, wrapped, extra_rows, n_ctx)


def write_llama(folder: Path, wrapped: Any, extra_rows: int = 0, n_ctx: int = 256) -> Path:
    """The same around one of transformers' tokenizers."""
    import transformers as tf

    config = tf.LlamaConfig(
        vocab_size=len(wrapped) + extra_rows, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=n_ctx, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=None,
    )  # fmt: skip
    state = torch.get_rng_state()
    torch.manual_seed(0)
    model = tf.LlamaForCausalLM(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_()
    model.save_pretrained(folder)
    torch.set_rng_state(state)
    wrapped.save_pretrained(folder)
    return folder
