"""Pools of GPT-2's and a sentencepiece tokenizer, against what is known of them."""

from pathlib import Path

import pytest

from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.pools import resolve_pools
from harness.tokens.text import shown

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def stories(shared_dir: Path) -> tuple[VocabFacts, Tokenizer]:
    """Facts and tokenizer of the shared third-party model."""
    config = ModelConfig(str(shared_dir / "models" / "stories260k"))
    identity = resolve_identity(config)
    tokenizer = load_tokenizer(identity, config)
    assert tokenizer is not None
    return load_facts(identity, config, tokenizer=tokenizer), tokenizer


@pytest.fixture(scope="module")
def gpt2(shared_dir: Path) -> Tokenizer:
    """GPT-2's own tokenizer."""
    config = ModelConfig(str(shared_dir / "models" / "stories260k"))
    tokenizer = load_tokenizer(
        resolve_identity(config), config, TokenizerConfig(str(shared_dir / "tokenizers" / "gpt2"))
    )
    assert tokenizer is not None
    return tokenizer


def facts_of(tokenizer: Tokenizer, d_vocab: int) -> VocabFacts:
    return VocabFacts(
        label="gpt2",
        d_vocab=d_vocab,
        n_ctx=1024,
        n_tokenizer=tokenizer.n_tokens,
        unnamed_ids=(),
        special_ids=tokenizer.special_ids,
        bos_id=tokenizer.bos_id,
        byte_ids=tuple(tokenizer.byte_id(byte) for byte in range(256)),
        merges=tuple(tokenizer.merges()),
        exposures=None,
    )


def test_gpt2_bytes_that_utf8_never_holds_include_the_published_range(gpt2: Tokenizer) -> None:
    ids = resolve_pools({"unused": "byte_unused"}, facts_of(gpt2, 50257), 0)["unused"].ids
    assert set(range(177, 188)) < set(ids)
    assert len(ids) == 13
    assert [shown(gpt2.token_text(token)) for token in ids[-2:]] == ["\\xfe", "\\xff"]


def test_gpt2_early_merges_are_common_words_and_pieces(gpt2: Tokenizer) -> None:
    pool = resolve_pools({"common": "early_merges"}, facts_of(gpt2, 50257), 0, gpt2)["common"]
    assert len(pool.ids) == 256
    assert min(pool.ids) >= 256 and max(pool.ids) < 256 + 1000
    for token in pool.ids:
        assert gpt2.encode(gpt2.decode([token])) == [token]
    assert pool.is_proxy


def test_a_sentencepiece_vocabulary(stories: tuple[VocabFacts, Tokenizer]) -> None:
    facts, tokenizer = stories
    pools = resolve_pools({"unused": "auto", "common": "auto"}, facts, 0, tokenizer)
    # Bytes start at id 3.
    assert pools["unused"].ids[-1] == 258 and pools["unused"].ids[0] == 3 + 0xC0
    assert len(pools["common"].ids) >= 25
    assert set(pools["common"].ids) <= set(range(259, 512))
    names = [shown(tokenizer.token_text(token)) for token in range(3, 512)]
    assert all(name == name.strip() and name for name in names)
