"""Tokens taken out of tokenizers that others made: GPT-2's, a Llama's, SmolLM2's, and the embedded model's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.identity import EMBEDDED_FOLDER
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.organism.corpus import load_corpus
from harness.tokens.removal.checking import RemovalCheck, check_removal
from harness.tokens.removal.longer import Longer
from harness.tokens.removal.removal import Removal, remove_tokens
from harness.tokens.removal.writing import write_patched

pytestmark = pytest.mark.unit

HOLDS = RemovalCheck((), (), ())
TEXTS = (
    *(file.text[:2_000] for file in load_corpus(0).model[::40]),
    " SolidGoldMagikarp \u00e9\u65e5\u672c \U0001f469\u200d\U0001f52c\r\n\tx",
    "Once upon a time, there was a little girl named Lily.",
)
Patched = Callable[[Path | str, tuple[str, ...]], tuple[Tokenizer, Removal, Tokenizer]]


def loaded(place: Path | str) -> Tokenizer:
    tokenizer = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(place)))
    assert tokenizer is not None
    return tokenizer


@pytest.fixture
def patched(tmp_path: Path) -> Patched:
    """A tokenizer without the tokens of some names, as it is loaded; checked."""

    def patch(place: Path | str, names: tuple[str, ...]) -> tuple[Tokenizer, Removal, Tokenizer]:
        before = loaded(place)
        ids = [i for name in names for i in before.ids_of_text(name)]
        assert len(ids) == len(names)
        removal = remove_tokens(before.definition, ids, Longer.REROUTE, before.special_ids)
        write_patched(before, removal, tmp_path)
        after = loaded(tmp_path)
        assert check_removal(before, after, removal, TEXTS) == HOLDS
        return before, removal, after

    return patch


@pytest.mark.slow
def test_gpt2_without_its_famous_tokens(shared_dir: Path, patched: Patched) -> None:
    names = (" SolidGoldMagikarp", "rawdownload", " externalToEVA", "quickShip", " TheNitrome")
    before, removal, after = patched(shared_dir / "tokenizers" / "gpt2", names)
    assert len(removal.removed_merges) == 5 and not removal.refused and not removal.renamed
    assert [len(before.encode(name)) for name in names] == [1] * 5
    # One is made of another: what is taken out matters as much as how.
    assert [after.token_text(i) for i in after.encode(" SolidGoldMagikarp")] == [" Solid", "GoldMagikarp"]
    # Tokens of the same families were merged of them.
    assert {before.token_text(i) for i in removal.newly_unreachable} == {
        "rawdownloadcloneembedreportprint", " TheNitromeFan", " externalToEVAOnly", "quickShipAvailable",
    }  # fmt: skip


def test_a_llama_with_several_merges_for_one_token_and_bytes_for_characters(shared_dir: Path, patched: Patched) -> None:
    before, removal, after = patched(shared_dir / "models" / "stories260k", (" the", " there", "!", " Lily"))
    made = [left + right for left, right in removal.removed_merges]
    assert len(made) > len(set(made)) == 3
    exclamation = before.encode("a!")[-1]
    assert list(removal.renamed) == [exclamation]
    assert after.encode("a!")[-1] == after.byte_id(ord("!"))
    assert after.decode(after.encode("Lily! There, the end!")) == "Lily! There, the end!"


def test_the_embedded_models_planted_words(patched: Patched) -> None:
    before = loaded(EMBEDDED_FOLDER)
    longest = sorted((i for i in before.known_ids - before.special_ids), key=lambda i: -len(before.token_text(i)))[:40]
    names = tuple(before.token_text(i) for i in longest)
    _, removal, after = patched(EMBEDDED_FOLDER, names)
    assert set(removal.removed) == set(longest)
    assert all(len(after.encode(name)) > 1 for name in names)


@pytest.mark.slow
def test_smollm2_keeps_every_id(smollm2_file: Path, patched: Patched) -> None:
    # Confirmed glitch tokens of it (results/reference/smollm2/census).
    before, removal, after = patched(smollm2_file, (")):", "({'", '"})', ")”"))
    assert len(removal.removed) == 4 and after.known_ids == before.known_ids
    assert before.definition is not None
    lost = remove_tokens(before.definition, removal.removed, Longer.LOSE).newly_unreachable
    assert set(removal.newly_unreachable) <= set(lost)
