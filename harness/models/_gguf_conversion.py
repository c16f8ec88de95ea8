"""A folder of plain weights made from a GGUF file. Imports torch and transformers."""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GgufConfig
from transformers import __version__ as transformers_version
from transformers.modeling_gguf_pytorch_utils import (
    GGUF_SUPPORTED_ARCHITECTURES,
    TENSOR_PROCESSORS,
    TensorProcessor,
    get_gguf_hf_weights_map,
)

from harness.errors import RunFailed
from harness.models._gguf_header import GgufHeader, read_header
from harness.models._gguf_rope import stretched_rope
from harness.models._gguf_tokenizer import has_vocabulary, tokenizer_note, write_tokenizer
from harness.models._no_installs import no_installs
from harness.models._quiet import LoadReport, quiet_loading
from harness.models._weights import CONFIG_FILE
from harness.models.gguf_facts import GgufFacts, GgufUnreadable

# Read, written or looked at by llama.cpp as well, and no language models that predict the next token.
_NOT_CAUSAL = ("bert", "t5", "clip", "mmproj", "embedding")
_NO_MODELS = frozenset({"general", "tokenizer", "t5", "umt5"})
# Tensors that config.json carries, and a copy of the embedding that tied architectures are written with.
_NOT_WEIGHTS = frozenset({"rope_freqs.weight"})
_COPY_OF_EMBEDDING = "output.weight"


def convert_model(path: Path, sha256: str, folder: Path) -> None:
    """Write config.json, float32 weights, the tokenizer where there is one, and `gguf.json` into `folder`.

    float32 holds every number that de-quantising gives. Raises `GgufUnreadable`, `RunFailed` where memory runs out,
    OSError where the disk refuses.
    """
    header = read_header(path)
    _require_causal(header)
    _require_room(header, folder)
    with _alone(path) as source, no_installs():
        _write_weights(header, source, folder)
        if has_vocabulary(header):
            write_tokenizer(header, source, folder)
    _facts(header, sha256).write(folder)


def convert_tokenizer(path: Path, sha256: str, folder: Path) -> None:
    """Write the tokenizer alone, and `gguf.json`. Raises as `convert_model` does."""
    header = read_header(path)
    with _alone(path) as source, no_installs(), quiet_loading(show_downloads=False):
        write_tokenizer(header, source, folder)
    _facts(header, sha256).write(folder)


def _facts(header: GgufHeader, sha256: str) -> GgufFacts:
    return GgufFacts(header.path.name, sha256, header.architecture, header.tensor_types(), tokenizer_note(header))


def _require_causal(header: GgufHeader) -> None:
    name = header.architecture
    if any(part in name for part in _NOT_CAUSAL) or header.of_model("attention.causal") is False:
        raise GgufUnreadable(
            f"its architecture {name} does not predict the next token, allowed: a causal language model"
        )


def _require_room(header: GgufHeader, folder: Path) -> None:
    needed = 4 * sum(tensor.n_elements for tensor in header.tensors)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(f"{needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free")


@contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """The file in a folder of its own: transformers would also read a tokenizer or adapter that lies beside it."""
    with tempfile.TemporaryDirectory(prefix="gguf-") as empty:
        link = Path(empty) / "model.gguf"
        try:
            link.symlink_to(path.absolute())
        except OSError:
            # Windows lets not everybody link.
            shutil.copyfile(path, link)
        yield link


def _write_weights(header: GgufHeader, source: Path, folder: Path) -> None:
    # The de-quantising bar writes to the terminal past every switch that transformers has.
    with quiet_loading(show_downloads=False) as report, redirect_stderr(io.StringIO()):
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(source.parent),
                gguf_file=source.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
                local_files_only=True,
            )
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise RunFailed(f"not enough memory to de-quantise {header.path.name}") from error
        except Exception as error:  # transformers raises whatever an odd file makes it stumble over
            raise _lacking(header, report) or _load_error(header, error) from error
        lacking = _lacking(header, report)
        if lacking is not None:
            raise lacking
        _require_all_read(header, model)
        _require_finite(model)
        # save_pretrained refuses a model that it takes for quantised; some readers leave that on a de-quantised one.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.hf_quantizer = None
        model.save_pretrained(str(folder))
    rope = stretched_rope(header, getattr(model.config, "rope_parameters", None) or {})
    _settle_config(folder / CONFIG_FILE, rope)


def _lacking(header: GgufHeader, report: LoadReport) -> GgufUnreadable | None:
    wrong = [*report.missing, *report.mismatched]
    if not wrong:
        return None
    return GgufUnreadable(
        f"{len(wrong)} tensors of its architecture {header.architecture} are missing or of another shape than "
        f"transformers {transformers_version} makes of its header ({_some(wrong)})"
    )


def _load_error(header: GgufHeader, error: Exception) -> GgufUnreadable:
    text = " ".join(str(error).split())
    if "architecture" in text and "not supported" in text:
        names = ", ".join(sorted(name for name in GGUF_SUPPORTED_ARCHITECTURES if name not in _NO_MODELS))
        return GgufUnreadable(
            f"its architecture {header.architecture} is not one that transformers {transformers_version} reads from a "
            f"GGUF file, allowed: {names}"
        )
    return GgufUnreadable(f"transformers {transformers_version} cannot read it ({type(error).__name__}: {text[:200]})")


def _require_all_read(header: GgufHeader, model: Any) -> None:
    """Refuse a file of which transformers leaves something out: it passes over tensors it has no place for."""
    held = {tensor.data_ptr(): tensor.numel() for tensor in model.state_dict().values()}
    weights = [tensor for tensor in header.tensors if tensor.name not in _NOT_WEIGHTS]
    if sum(tensor.n_elements for tensor in weights) == sum(held.values()):
        return
    processor = TENSOR_PROCESSORS.get(header.architecture, TensorProcessor)(config=model.config.to_dict())
    known = get_gguf_hf_weights_map(model, processor)
    tied = bool(getattr(model.config, "tie_word_embeddings", False))
    left_out = [t.name for t in weights if t.name not in known and not (tied and t.name == _COPY_OF_EMBEDDING)]
    if left_out:
        raise GgufUnreadable(
            f"transformers {transformers_version} has no place for {len(left_out)} of its tensors "
            f"({_some(left_out)}): what it makes of the file would be another model"
        )


def _require_finite(model: Any) -> None:
    wrong = [name for name, tensor in model.state_dict().items() if not bool(torch.isfinite(tensor).all())]
    if wrong:
        raise GgufUnreadable(f"it is damaged: {len(wrong)} of its tensors hold what is no number ({_some(wrong)})")


def _settle_config(path: Path, rope: dict[str, Any] | None) -> None:
    """Take out of config.json what is not the model's: weights are hashed with it, and a run's id hangs on that."""
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in ("_name_or_path", "_model_name_or_path", "transformers_version"):
        config.pop(key, None)
    if rope is not None:
        config["rope_parameters"] = rope
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + os.linesep, encoding="utf-8")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
