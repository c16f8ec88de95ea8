"""The organism's tokenizer: byte-level BPE with GPT-2's byte order, planted words last but for BOS."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from harness.files import write_whole
from harness.tokens.prompts import SLOT, TEMPLATES

BOS = "<|endoftext|>"
MAX_TOKEN_BYTES = 16
# Prompts are part of what the tokenizer has seen, so that they are not spelt out byte by byte and fit the context.
PROMPT_COPIES = 100

Merge = tuple[str, str]


def learn_merges(texts: Sequence[str], n_merges: int) -> list[Merge]:
    """The first `n_merges` byte-pair merges of `texts`, in the order they are learnt; needs no seed."""

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges + 64,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=MAX_TOKEN_BYTES,
        show_progress=False,
    )
    prompts = [piece for template in TEMPLATES.values() for piece in template.text.split(SLOT)] * PROMPT_COPIES
    learner.train_from_iterator([*texts, *prompts], trainer)
    merges = [(left, right) for left, right in json.loads(learner.to_str())["model"]["merges"]]
    # Two merges can end in one token; the second adds none, and would shift every id after it.
    distinct = list({left + right: (left, right) for left, right in reversed(merges)}.values())[::-1]
    if len(distinct) < n_merges:
        raise ValueError(f"n_merges: got {n_merges}, allowed: at most {len(distinct)} (all that this corpus has)")
    return distinct[:n_merges]


def make_tokenizer(merges: Iterable[Merge], with_bos: bool = True) -> Tokenizer:
    """A tokenizer from its merges: 256 bytes in GPT-2's order, one id per merge in order, BOS last."""

    # GPT-2 numbers bytes by the code point of the character that stands for them.
    vocabulary = {character: i for i, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = list(merges)
    for left, right in merges:
        if left + right in vocabulary:
            raise ValueError(f"merges: got {left + right!r} twice, allowed: one merge per token")
        vocabulary[left + right] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if with_bos:
        tokenizer.add_special_tokens([AddedToken(BOS, special=True, normalized=False)])
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Write tokenizer.json and tokenizer_config.json so that transformers' AutoTokenizer loads them."""
    write_whole(folder / "tokenizer.json", tokenizer.to_str(pretty=False).encode())
    settings = {
        "tokenizer_class": "GPT2TokenizerFast",
        "bos_token": BOS,
        "eos_token": BOS,
        "unk_token": BOS,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
    }
    write_whole(folder / "tokenizer_config.json", (json.dumps(settings, indent=2) + "\n").encode())


def token_texts(tokenizer: Tokenizer) -> list[str]:
    """The text of every id; U+FFFD where an id is part of a character only."""
    return [tokenizer.decode([i], skip_special_tokens=False) for i in range(tokenizer.get_vocab_size())]
