"""The line that each odd or damaged GGUF file gets, and each machine that cannot read one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.errors import Rejected
from harness.models import _gguf_conversion, _gguf_files
from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity, resolve_identity
from harness.models.tokenizer_files import resolve_tokenizer
from tests.helpers.tiny_gguf import TinyGguf, resolve

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cache")]


def _nan() -> dict[str, np.ndarray]:
    weight = np.ones((96, 64), np.float32)
    weight[3, 5] = np.nan
    return {"blk.1.ffn_up.weight": weight}


SQUARE = np.ones((64, 64), np.float32)


ODD = {
    "bert": (TinyGguf("bert"), "architecture bert does not predict the next token, allowed: a causal language model"),
    "t5": (TinyGguf("t5"), "architecture t5 does not predict the next token"),
    "not causal": (TinyGguf(values={"{arch}.attention.causal": False}), "does not predict the next token"),
    "rwkv": (TinyGguf("rwkv6"), "its architecture rwkv6 is not one that transformers .* allowed: .*llama.*qwen2"),
    "adapter": (TinyGguf(general_type="adapter"), r"no language model \(general.type is 'adapter'\)"),
    "no weights": (TinyGguf(without=list(TinyGguf().weights())), "it holds no weights"),
    "integers": (TinyGguf(extra={"odd.weight": np.ones(32, np.int32)}), "of type I32, which the gguf package cannot"),
    "a part": (TinyGguf(values={"split.count": 3}), "one part of a model split .*llama-gguf-split --merge"),
    "a tensor less": (TinyGguf(without=["blk.1.ffn_up.weight"]), r"missing or of another shape .*1\.mlp\.up_proj"),
    "another shape": (TinyGguf(extra={"blk.0.ffn_up.weight": SQUARE}), r"missing or of another shape .*0\.mlp\.up"),
    "a tensor more": (TinyGguf(extra={"blk.0.attn_q.bias": np.ones(64, np.float32)}), r"no place for 1 .*attn_q\.bias"),
    "no numbers": (TinyGguf(extra=_nan()), r"damaged: 1 of its tensors hold what is no number \(.*up_proj"),
    "yarn": (TinyGguf(values={"{arch}.rope.scaling.type": "yarn"}), r"stretched \(yarn\)"),
    "odd factors": (TinyGguf(extra={"rope_freqs.weight": np.arange(1, 9, dtype=np.float32)}), "stretched .rope_freqs."),
    "tokenizer": (TinyGguf(tokenizer="rwkv"), r"its tokenizer \(rwkv\) cannot be read by transformers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_odd_files_are_refused_in_one_line(kind: str, tmp_path: Path, cache: Path) -> None:
    tiny, said = ODD[kind]
    path = tiny.write(tmp_path / "odd.gguf")
    with pytest.raises(Rejected, match=rf"model\.name: got '.*odd\.gguf': .*{said}") as refusal:
        resolve(path)
    assert "\n" not in str(refusal.value)
    assert not [entry for entry in cache.iterdir() if not entry.name.startswith(".")]


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "it is no GGUF file"),
    "text": (lambda _: b"version https://git-lfs", "it is no GGUF file"),
    "half": (lambda content: content[: len(content) // 2], r"truncated: its tensors end at byte [\d,]+, the file at"),
    "a byte less": (lambda content: content[:-1], "truncated: its tensors end"),
    "header": (lambda content: content[:300], "truncated or damaged: its header wants"),
    "four bytes": (lambda content: content[:4], "truncated or damaged: its header wants"),
    "version": (lambda content: content[:4] + b"\x09" + content[5:], "version 9 of the format"),
    "big-endian": (lambda content: content[:4] + b"\0\0\0\x03" + content[8:], "it is big-endian"),
    "count": (lambda content: content[:16] + b"\xff" * 8 + content[24:], "damaged"),
    "type": (lambda content: _of_type(content, 77), "of type 77, which the gguf package does not know"),
    "text of metadata": (lambda content: content.replace(b"llama.block_count", b"llama.bl\xffck_count"), "no UTF-8"),
}


def _of_type(content: bytes, number: int) -> bytes:
    # After a tensor's name come the number of its dimensions, the dimensions and its type.
    start = content.index(b"output_norm.weight") + len(b"output_norm.weight") + 4 + 8
    return content[:start] + number.to_bytes(4, "little") + content[start + 4 :]


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_files_are_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    damage, said = DAMAGED[kind]
    path = TinyGguf().write(tmp_path / "damaged.gguf")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Rejected, match=rf"model\.name: got '.*damaged\.gguf': .*{said}") as refusal:
        resolve(path)
    assert "\n" not in str(refusal.value)


class TestNames:
    def test_no_such_file(self, tmp_path: Path) -> None:
        for name in (str(tmp_path / "nowhere.gguf"), "owner/repository/model.gguf"):
            with pytest.raises(Rejected, match=r"\.gguf': no such file"):
                resolve_identity(ModelConfig(name=name))
        with pytest.raises(Rejected, match=r"tokenizer\.name: got .*no such file"):
            resolve_tokenizer(str(tmp_path / "nowhere.gguf"))

    def test_a_revision_contradicts_a_file(self, converted: ModelIdentity) -> None:
        with pytest.raises(Rejected, match=r"model\.revision: got 'main', allowed: nothing, since .* is a file"):
            resolve_identity(ModelConfig(name=converted.name, revision="main"))

    def test_the_first_of_several_files(self, tmp_path: Path) -> None:
        path = TinyGguf().write(tmp_path / "big-00001-of-00003.gguf")
        with pytest.raises(Rejected, match="llama-gguf-split --merge"):
            resolve(path)

    def test_a_file_without_the_ending(self, converted: ModelIdentity, tmp_path: Path) -> None:
        path = shutil.copy(converted.name, tmp_path / "weights.bin")
        assert resolve(Path(path)).fingerprint == converted.fingerprint

    def test_a_folder_that_holds_one(self, tmp_path: Path) -> None:
        TinyGguf().write(tmp_path / "tiny.gguf")
        with pytest.raises(
            Rejected, match=r"no config\.json; for a GGUF file in it give the file: model\.name=.*tiny\.gguf"
        ):
            resolve(tmp_path)

    def test_another_file(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("words")
        with pytest.raises(Rejected, match="not a folder"):
            resolve(tmp_path / "notes.txt")


class TestThisMachine:
    def test_without_the_gguf_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")
        monkeypatch.setattr(_gguf_files, "find_spec", lambda _: None)
        with pytest.raises(Rejected, match=r"needs the package gguf, which is not installed; run `pip install gguf`"):
            resolve(path)

    def test_a_full_disk_is_seen_before_the_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")
        monkeypatch.setattr(_gguf_conversion.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        monkeypatch.setattr(_gguf_conversion, "AutoModelForCausalLM", None)
        with pytest.raises(Rejected, match=r"cannot be written below .* \(0\.0 GB are needed, .*set HARNESS_CACHE"):
            resolve(path)

    def test_a_cache_that_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
        with pytest.raises(
            Rejected, match=r"cannot be written below .*file/gguf \(Not a directory\); set HARNESS_CACHE"
        ):
            resolve(path)

    @pytest.mark.parametrize(
        ("variables", "folder"),
        [
            ({"HARNESS_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
            ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/glitch-harness"),
            ({"HOME": "/home/me"}, "/home/me/.cache/glitch-harness"),
        ],
    )
    def test_where_the_cache_lies(
        self, variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HARNESS_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert _gguf_files.cache_folder() == Path(folder)
