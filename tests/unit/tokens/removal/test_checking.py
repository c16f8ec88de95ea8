"""Patched tokenizers of every kind, loaded from a folder as a user loads them, and defects that the check must see."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import Rejected
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.identity import EMBEDDED_FOLDER
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.tokens.removal.checking import RemovalCheck, check_removal
from harness.tokens.removal.longer import Longer
from harness.tokens.removal.removal import Removal, remove_tokens
from harness.tokens.removal.writing import write_patched
from tests.helpers.zoo_tokenizers import CORPUS, KINDS, brute_force

pytestmark = pytest.mark.unit

TEXTS = (*CORPUS[:20], "déjà vu, đem <tool> two words", "<removed 300> \u00ad日本\n\n\tthe")
HOLDS = RemovalCheck((), (), ())


def loaded(place: Path | str) -> Tokenizer:
    tokenizer = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(place)))
    assert tokenizer is not None
    return tokenizer


def patched(before: Tokenizer, removal: Removal, folder: Path) -> Tokenizer:
    write_patched(before, removal, folder)
    return loaded(folder)


@pytest.mark.parametrize("longer", [Longer.KEEP, Longer.REROUTE])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bytes_alone"])
def test_every_kind_holds_what_is_promised(kind: str, longer: Longer, tmp_path: Path) -> None:
    KINDS[kind]().save(tmp_path / "before")
    before = loaded(tmp_path / "before")
    asked = sorted(before.known_ids)[::7]
    removal = remove_tokens(before.definition, asked, longer, before.special_ids)
    after = patched(before, removal, tmp_path / "after")
    assert len(removal.removed) > 5
    check = check_removal(before, after, removal, TEXTS)
    if kind == "unigram_alone":
        # Without a decoder every cut comes back as a space, and a removed token is cut: the check says so.
        check = replace(check, lossy=())
    assert check == HOLDS
    assert not brute_force(after) & {*removal.removed, *removal.also_removed}


def test_a_tokenizer_without_a_definition_is_refused() -> None:
    with pytest.raises(Rejected, match="without a tokenizer"):
        remove_tokens(KINDS["bytes_alone"]().definition, [3])


def test_added_tokens_do_not_come_back_from_the_config(tmp_path: Path) -> None:
    KINDS["added_tokens"]().save(tmp_path / "before")
    settings = json.loads((tmp_path / "before" / "tokenizer_config.json").read_text())
    before = loaded(tmp_path / "before")
    (tool,) = before.ids_of_text("<tool>")
    # Older folders repeat the added tokens here.
    settings["added_tokens_decoder"] = {str(tool): {"content": "<tool>", "special": False}}
    (tmp_path / "before" / "tokenizer_config.json").write_text(json.dumps(settings))
    before = loaded(tmp_path / "before")
    removal = remove_tokens(before.definition, [tool])
    after = patched(before, removal, tmp_path / "after")
    assert tool not in after.encode("a <tool> b")
    assert after.decode(after.encode("a <tool> b")) == "a <tool> b"
    assert [after.encode(name) for name in ("đem", " two words")] == [before.encode(n) for n in ("đem", " two words")]
    assert check_removal(before, after, removal, TEXTS) == HOLDS


def test_planted_defects_are_seen(tmp_path: Path) -> None:
    before = loaded(EMBEDDED_FOLDER)
    (i,) = before.ids_of_text(" return")
    removal = remove_tokens(before.definition, [i], Longer.LOSE)
    texts = ["return x", "déjà"]
    assert check_removal(before, patched(before, removal, tmp_path / "good"), removal, texts) == HOLDS
    # A merge is left.
    assert check_removal(before, before, removal, texts).reached == (i,)
    raw = json.loads(removal.definition)
    # Two tokens exchange their ids.
    a, b = before.token_name(300), before.token_name(301)
    raw["model"]["vocab"] |= {a: 301, b: 300}
    swapped = replace(removal, definition=json.dumps(raw))
    assert check_removal(before, patched(before, swapped, tmp_path / "swapped"), removal, texts).misnamed == (300, 301)
    # A name changes and the removal does not say so.
    renamed = replace(removal, renamed={300: "other"})
    assert check_removal(before, patched(before, removal, tmp_path / "named"), renamed, texts).misnamed == (300,)
    # Letters are lost on the way.
    raw = json.loads(removal.definition)
    raw["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}
    stripped = replace(removal, definition=json.dumps(raw))
    folder = tmp_path / "stripped"
    write_patched(before, stripped, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    assert check_removal(before, loaded(folder), removal, texts).lossy == (1,)
