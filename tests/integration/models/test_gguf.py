"""A GGUF file is a model: what it becomes, and how often it is converted."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import Rejected
from harness.models import _gguf_conversion
from harness.models._gguf_rope import llama3_factors
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.facts import load_facts
from harness.models.identity import ModelIdentity, ModelSource, resolve_identity
from harness.models.tokenizer_files import resolve_tokenizer
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.notebook import run
from harness.runs.config.compose import compose_run
from harness.runs.lifecycle import open_run
from harness.runs.preparing import Prepared, prepare
from tests.helpers.tiny_gguf import D_HEAD, N_HEADS, TinyGguf, resolve, to_file_order, vocabulary

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cache")]


ROOT = Path(__file__).resolve().parents[3]


def tokenizer_of(identity: ModelIdentity) -> Tokenizer:
    tokenizer = load_tokenizer(identity, ModelConfig())
    assert tokenizer is not None
    return tokenizer


def half(blocks: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(blocks).view("<f2").astype(np.float32)


class TestTheModel:
    def test_its_weights_are_the_numbers_of_the_file(self, converted: ModelIdentity) -> None:
        assert converted.path is not None
        found, given = load_file(converted.path / "model.safetensors"), TinyGguf(n_filled_in=5).weights()
        # By the definition of the types, 32 numbers a block: Q8_0 is a half-precision scale and bytes, Q4_1 a scale, a
        # minimum and half-bytes, of which the low ones come first.
        held = {tensor.name: tensor.data for tensor in GGUFReader(converted.name).tensors}
        blocks = held["token_embd.weight"].reshape(-1, 2 + 32)
        embedding = half(blocks[:, :2]) * np.ascontiguousarray(blocks[:, 2:]).view(np.int8)
        np.testing.assert_array_equal(found["model.embed_tokens.weight"].reshape(-1, 32), embedding)
        blocks = held["blk.1.ffn_down.weight"].reshape(-1, 2 + 2 + 16)
        steps = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
        down = half(blocks[:, :2]) * steps + half(blocks[:, 2:4])
        np.testing.assert_array_equal(found["model.layers.1.mlp.down_proj.weight"].reshape(-1, 32), down)
        # What quantising lost is as much as these types lose.
        assert np.abs(found["model.embed_tokens.weight"] - given["token_embd.weight"]).max() < 0.01
        assert 0.01 < np.abs(found["model.layers.1.mlp.down_proj.weight"] - given["blk.1.ffn_down.weight"]).max() < 0.1

    def test_four_bits_and_plain_floats(self, tmp_path: Path) -> None:
        tiny = TinyGguf()
        # One row whose blocks are known: 0..15 in steps of a half above -3, twice.
        row = np.tile(np.arange(16, dtype=np.float32) / 2 - 3, 6)
        tiny.extra["blk.0.ffn_down.weight"] = np.tile(row, (64, 1))
        folder = resolve(tiny.write(tmp_path / "tiny.gguf")).path
        assert folder is not None
        found, given = load_file(folder / "model.safetensors"), tiny.weights()
        np.testing.assert_array_equal(found["model.layers.0.mlp.down_proj.weight"], given["blk.0.ffn_down.weight"])
        query = found["model.layers.1.self_attn.q_proj.weight"]
        np.testing.assert_array_equal(to_file_order(query, N_HEADS), given["blk.1.attn_q.weight"])
        assert not np.array_equal(query, given["blk.1.attn_q.weight"])
        np.testing.assert_array_equal(found["model.layers.0.mlp.up_proj.weight"], given["blk.0.ffn_up.weight"])
        assert {tensor.dtype for tensor in found.values()} == {np.dtype(np.float32)}

    def test_it_is_as_a_folder_is(self, converted: ModelIdentity) -> None:
        assert converted.source is ModelSource.GGUF
        assert (converted.label, converted.revision) == ("Tiny-llama.Q4_1", None)
        assert converted.path is not None
        as_folder = resolve_identity(ModelConfig(name=str(converted.path)))
        assert as_folder.fingerprint == converted.fingerprint
        facts = load_facts(converted, ModelConfig())
        assert (facts.d_vocab, facts.n_ctx, facts.bos_id) == (len(vocabulary()) + 5, 64, 1)
        assert facts.special_ids == {0, 1, 2}
        model = AutoModelForCausalLM.from_pretrained(converted.path)
        assert torch.isfinite(model(torch.arange(8)[None]).logits).all()

    def test_its_file_is_known_by_its_bytes_and_types(self, converted: ModelIdentity) -> None:
        assert converted.gguf is not None
        assert (converted.gguf.file, converted.gguf.architecture) == ("Tiny llama.Q4_1.gguf", "llama")
        assert len(converted.gguf.sha256) == 64
        types = converted.gguf.tensor_types
        assert types["token_embd"] == {"Q8_0": 1}
        assert types["ffn_down"] == {"Q4_1": 2}
        assert types["attn_q"] == {"F32": 2}
        assert converted.gguf.quantisation == ("Q4_1", "Q8_0")

    def test_rotary_positions_stretched_as_in_llama_3(self, tmp_path: Path) -> None:
        factors = llama3_factors(D_HEAD // 2, 10_000.0, 32.0).astype(np.float32)
        # By hand: the shortest wave, of 2 pi tokens, stays; the longest, of 2 pi 10,000^(7/8), more than 8,192, is
        # stretched whole.
        assert (factors[0], factors[-1]) == (1.0, 32.0)
        folder = resolve(TinyGguf(extra={"rope_freqs.weight": factors}).write(tmp_path / "long.gguf")).path
        assert folder is not None
        rope = json.loads((folder / "config.json").read_text())["rope_parameters"]
        assert (rope["rope_type"], rope["factor"], rope["rope_theta"]) == ("llama3", 32.0, 10_000.0)
        model = AutoModelForCausalLM.from_pretrained(folder)
        plain = 1 / 10_000.0 ** (np.arange(8) / 8)
        np.testing.assert_allclose(model.model.rotary_emb.inv_freq.numpy(), plain / factors, rtol=1e-6)

    def test_rotary_positions_stretched_evenly(self, tmp_path: Path) -> None:
        values = {"{arch}.rope.scaling.type": "linear", "{arch}.rope.scaling.factor": 4.0}
        folder = resolve(TinyGguf(values=values).write(tmp_path / "linear.gguf")).path
        assert folder is not None
        rope = json.loads((folder / "config.json").read_text())["rope_parameters"]
        assert (rope["rope_type"], rope["factor"]) == ("linear", 4.0)

    def test_files_beside_it_are_not_read(self, converted: ModelIdentity, tmp_path: Path) -> None:
        shutil.copy(converted.name, tmp_path / "tiny.gguf")
        (tmp_path / "tokenizer_config.json").write_text(
            '{"bos_token": "<|im_end|>", "tokenizer_class": "GPT2Tokenizer"}'
        )
        (tmp_path / "chat_template.jinja").write_text("other")
        (tmp_path / "generation_config.json").write_text('{"eos_token_id": 5}')
        again = resolve(tmp_path / "tiny.gguf")
        assert again.path is not None and converted.path is not None
        for name in ("tokenizer.json", "tokenizer_config.json", "config.json", "generation_config.json"):
            assert (again.path / name).read_bytes() == (converted.path / name).read_bytes(), name


class TestTheTokenizer:
    def test_ids_texts_and_template(self, converted: ModelIdentity) -> None:
        tokenizer = tokenizer_of(converted)
        tokens = vocabulary()
        the = tokens.index("Ġthe")
        assert tokenizer.encode("<|im_start|> the of<|im_end|>") == [1, the, tokens.index("Ġof"), 2]
        assert (tokenizer.token_text(the), tokenizer.byte_id(0xF5)) == (" the", 3 + 0xF5)
        assert tokenizer.chat_template is not None and "<|im_start|>" in tokenizer.chat_template
        assert not tokenizer.adds_bos

    def test_rows_without_a_token_have_no_name(self, converted: ModelIdentity) -> None:
        facts = load_facts(converted, ModelConfig())
        n = len(vocabulary())
        assert facts.n_tokenizer == n
        assert facts.unnamed_ids == tuple(range(n, n + 5))

    def test_digits_stand_apart_where_the_file_says_so(self, converted: ModelIdentity, tmp_path: Path) -> None:
        two_spaces = vocabulary().index("ĠĠ")
        assert tokenizer_of(converted).encode("a  7")[1] == two_spaces
        other = tokenizer_of(resolve(TinyGguf(rule="gpt-2").write(tmp_path / "gpt2.gguf")))
        assert two_spaces not in other.encode("a  7")

    @pytest.mark.parametrize(
        ("rule", "said"), [("gpt-2", None), ("llama-bpe", None), ("falcon", "(falcon)"), (None, "no rule")]
    )
    def test_a_rule_that_is_not_known_is_said(self, rule: str | None, said: str | None, tmp_path: Path) -> None:
        gguf = resolve(TinyGguf(rule=rule).write(tmp_path / "tiny.gguf")).gguf
        assert gguf is not None
        assert (gguf.tokenizer_note is None) == (said is None)
        assert said is None or said in str(gguf.tokenizer_note)

    def test_it_can_be_named_alone_and_needs_no_weights(
        self, converted: ModelIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_gguf_conversion, "convert_model", None)
        found = resolve_tokenizer(converted.name)
        assert found.label == "Tiny-llama.Q4_1"
        assert not (found.folder / "model.safetensors").exists()
        named = load_tokenizer(None, ModelConfig(), TokenizerConfig(converted.name))
        assert named is not None
        assert named.encode(" the 12") == tokenizer_of(converted).encode(" the 12")
        alone = run("token_audit", f"tokenizer.name={converted.name}", "tracker=none", f"results_dir={tmp_path}")
        assert alone.metrics["ids"] == len(vocabulary())

    def test_a_file_without_one_is_known_by_ids(self, tmp_path: Path) -> None:
        identity = resolve(TinyGguf(tokenizer=None).write(tmp_path / "bare.gguf"))
        assert load_tokenizer(identity, ModelConfig()) is None
        assert load_facts(identity, ModelConfig()).d_vocab == len(vocabulary())
        with pytest.raises(Rejected, match=r"tokenizer\.name: got .*bare\.gguf': it has no tokenizer"):
            resolve_tokenizer(str(TinyGguf(tokenizer=None, seed=1).write(tmp_path / "other bare.gguf")))


class TestConvertedOnce:
    def test_the_second_use_reads_no_weights(
        self, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")
        with caplog.at_level("INFO"):
            first = resolve(path)
        line = next(record.getMessage() for record in caplog.records if record.getMessage().startswith("converted"))
        assert "tiny.gguf" in line and str(cache) in line and " MB) in " in line

        def never(*_: object) -> None:
            raise AssertionError("converted again")

        monkeypatch.setattr(_gguf_conversion, "convert_model", never)
        (tmp_path / "elsewhere").mkdir()
        moved = resolve(path.rename(tmp_path / "elsewhere" / "renamed.gguf"))
        assert (moved.path, moved.fingerprint) == (first.path, first.fingerprint)
        assert moved.gguf is not None
        assert (moved.label, moved.gguf.file) == ("renamed", "renamed.gguf")

    def test_another_file_under_the_same_name_is_another_model(self, tmp_path: Path) -> None:
        path = tmp_path / "tiny.gguf"
        first = resolve(TinyGguf().write(path))
        second = resolve(TinyGguf(seed=1).write(path))
        assert first.fingerprint != second.fingerprint

    def test_a_found_file_needs_no_torch(self, converted: ModelIdentity) -> None:
        code = (
            "import sys; from harness.models.config import ModelConfig; from harness.models.identity import *;"
            "print(resolve_identity(ModelConfig(name=sys.argv[1])).fingerprint,"
            "[m for m in ('torch', 'transformers', 'gguf') if m in sys.modules])"
        )
        assert converted.path is not None
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HARNESS_CACHE": str(converted.path.parents[1])}
        done = subprocess.run(
            [sys.executable, "-c", code, converted.name], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [converted.fingerprint, "[]"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
    def test_a_conversion_that_ends_early_leaves_nothing(
        self, error: BaseException, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")

        def half_way(source: Path, sha256: str, folder: Path) -> None:
            (folder / "config.json").write_text("{}")
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(_gguf_conversion, "convert_model", half_way)
            with pytest.raises((KeyboardInterrupt, Rejected)) as refusal:
                resolve(path)
        if isinstance(error, OSError):
            assert "No space left on device" in str(refusal.value) and "HARNESS_CACHE" in str(refusal.value)
        assert [entry.name for entry in cache.iterdir()] == [".locks"]
        assert resolve(path).source is ModelSource.GGUF

    def test_a_conversion_that_is_killed_is_taken_for_none(self, tmp_path: Path, cache: Path) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")
        code = (
            "import os, sys; from harness.models import _gguf_conversion as c; from harness.models.config import *;"
            "from harness.models.identity import resolve_identity;"
            "c.convert_model = lambda p, s, into: ((into / 'config.json').write_text('{}'), os.kill(os.getpid(), 9));"
            "resolve_identity(ModelConfig(name=sys.argv[1]))"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, capture_output=True)
        assert done.returncode == -signal.SIGKILL
        assert not [entry for entry in cache.iterdir() if not entry.name.startswith(".")]
        assert len(list(cache.glob(".*.tmp"))) == 1
        identity = resolve(path)
        assert [entry for entry in cache.iterdir() if entry.name != ".locks"] == [identity.path]

    @pytest.mark.slow
    def test_two_processes_at_once(self, tmp_path: Path, cache: Path) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")
        code = (
            "import logging, sys; logging.basicConfig(level='INFO', stream=sys.stdout);"
            "from harness.models.config import ModelConfig; from harness.models.identity import resolve_identity;"
            "print(resolve_identity(ModelConfig(name=sys.argv[1])).fingerprint)"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(path)], env=environment, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=300)[0] for process in started]
        assert [process.returncode for process in started] == [0, 0]
        assert len({text.splitlines()[-1] for text in said}) == 1
        assert sum(text.count("models._gguf_files:converted ") for text in said) == 1

    def test_a_damaged_copy_says_what_to_do(self, tmp_path: Path) -> None:
        path = TinyGguf().write(tmp_path / "tiny.gguf")
        folder = resolve(path).path
        assert folder is not None
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-10])
        with pytest.raises(Rejected, match=r"tiny\.gguf': its converted copy .* is damaged .*delete that folder"):
            resolve(path)
        (folder / "gguf.json").unlink()
        with pytest.raises(Rejected, match="is damaged"):
            resolve(path)


NOTE = "The weights are those of the quantised file Tiny llama.Q4_1.gguf (Q4_1, Q8_0)"


WORDS = ("exp.seq_len=6", "exp.n_sequences=4", "pools.unused=177:188", "pools.common=40:60", "tracker=none")


def prepared(model: str, folder: Path, experiment: str = "repeat_tokens", words: Sequence[str] = WORDS) -> Prepared:
    return prepare(compose_run([f"exp={experiment}", f"model.name={model}", *words, f"results_dir={folder}"]))


def test_a_run_states_the_file_and_that_findings_are_the_files(
    converted: ModelIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert converted.path is not None
    monkeypatch.setenv("HARNESS_CACHE", str(converted.path.parents[1]))
    asked = prepared(converted.name, tmp_path)
    assert asked.run_id.startswith("Tiny-llama.Q4_1-")
    with open_run(asked) as opened:
        assert [text for text in opened.run.notes if text.startswith(NOTE)]
        stated = json.loads((opened.folder.path / "manifest.json").read_text())["model"]
    assert (stated["source"], stated["weights_sha256"]) == ("gguf", converted.weights_sha256)
    assert stated["gguf"]["file"] == "Tiny llama.Q4_1.gguf"
    assert stated["gguf"]["tensor_types"]["ffn_down"] == {"Q4_1": 2}
    # Only the label differs from that of a folder: the answer hangs on the same bytes.
    assert prepared(str(converted.path), tmp_path).digest == asked.digest


def test_what_reads_no_weights_says_nothing_of_them(
    converted: ModelIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert converted.path is not None
    monkeypatch.setenv("HARNESS_CACHE", str(converted.path.parents[1]))
    with open_run(prepared(converted.name, tmp_path, "token_audit", ["tracker=none"])) as opened:
        assert not opened.run.notes


def test_a_tokenizer_that_may_cut_differently_is_noted(tmp_path: Path) -> None:
    path = str(TinyGguf(rule="falcon").write(tmp_path / "tiny.gguf"))
    with open_run(prepared(path, tmp_path, "token_audit", ["tracker=none"])) as opened:
        assert [text for text in opened.run.notes if "a rule (falcon) that is not known here" in text]


@pytest.mark.slow
def test_the_report_says_it(converted: ModelIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert converted.path is not None
    monkeypatch.setenv("HARNESS_CACHE", str(converted.path.parents[1]))
    done = run("repeat_tokens", f"model.name={converted.name}", *WORDS, f"results_dir={tmp_path}", "model.device=cpu")
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert any(text.startswith(NOTE) for text in done.notes)
    assert NOTE in page
    assert "file Tiny llama.Q4_1.gguf, sha256 " in page and "ffn_down (Q4_1 2)" in page


def test_a_file_of_plain_numbers_is_no_quantised_one(tmp_path: Path) -> None:
    gguf = resolve(TinyGguf(kinds={"token_embd": Kind.F16, "ffn_up": Kind.BF16}).write(tmp_path / "tiny.gguf")).gguf
    assert gguf is not None
    assert (gguf.quantisation, gguf.weights_note) == ((), None)
    assert gguf.tensor_types["token_embd"] == {"F16": 1}


def test_what_transformers_reads_back_is_what_it_made(converted: ModelIdentity) -> None:
    """The folder's tokenizer cuts text as the file's does, but for the digits that were put right."""
    source = Path(converted.name)
    straight = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    text = "<|im_start|>user\n the  of of\u00e9 \u6f22<|im_end|>"
    assert tokenizer_of(converted).encode(text) == straight.encode(text, add_special_tokens=False)
