"""GGUF files small enough to write in a test: two llama blocks with random weights, and a byte-level vocabulary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import TokenType

from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity, resolve_identity

D_MODEL, D_HEAD, N_HEADS, N_KV_HEADS, D_MLP, N_LAYERS, N_CTX = 64, 16, 4, 2, 96, 2, 64
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("Ġ t", "h e", "Ġt he", "Ġ Ġ", "o f", "Ġ of")
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def byte_characters() -> list[str]:
    """GPT-2's stand-in for each byte, by its value."""
    printable = [*range(33, 127), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(hidden)) for byte in range(256)]


def vocabulary() -> list[str]:
    """The control tokens, all bytes, then what the merges make."""
    return [*CONTROL, *byte_characters(), *(merge.replace(" ", "") for merge in MERGES)]


def to_file_order(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """How llama.cpp's converter orders the rows of a query or key matrix: the two halves of a head interleaved."""
    rows, columns = weight.shape
    return weight.reshape(n_heads, 2, rows // n_heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


@dataclass
class TinyGguf:
    """What to write; a test changes what it is about."""

    architecture: str = "llama"
    kinds: Mapping[str, Kind] = field(default_factory=lambda: {"token_embd": Kind.Q8_0, "ffn_down": Kind.Q4_1})
    """Types by kind of tensor; F32 where none is given."""
    values: dict[str, Any] = field(default_factory=dict)
    """Further metadata below the architecture's name: numbers, texts or truth values."""
    general_type: str = "model"
    tokenizer: str | None = "gpt2"
    rule: str | None = "smollm"
    n_filled_in: int = 0
    """Rows of the embedding without a token, which the vocabulary names [PAD<id>]."""
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    """Further tensors, or others in place of the usual."""
    without: Sequence[str] = ()
    seed: int = 0

    def tokens(self) -> list[str]:
        """The vocabulary with the rows that are filled in."""
        tokens = vocabulary()
        return [*tokens, *(f"[PAD{len(tokens) + n}]" for n in range(self.n_filled_in))]

    def weights(self) -> dict[str, np.ndarray]:
        """The tensors by their names in the file, float32."""
        rng = np.random.default_rng(self.seed)

        def drawn(*shape: int) -> np.ndarray:
            return rng.normal(0, 0.3, shape).astype(np.float32)

        found = {"token_embd.weight": drawn(len(self.tokens()), D_MODEL), "output_norm.weight": 1 + drawn(D_MODEL)}
        for layer in range(N_LAYERS):
            shapes = {
                "attn_norm": (D_MODEL,), "ffn_norm": (D_MODEL,),
                "attn_q": (N_HEADS * D_HEAD, D_MODEL), "attn_k": (N_KV_HEADS * D_HEAD, D_MODEL),
                "attn_v": (N_KV_HEADS * D_HEAD, D_MODEL), "attn_output": (D_MODEL, N_HEADS * D_HEAD),
                "ffn_gate": (D_MLP, D_MODEL), "ffn_up": (D_MLP, D_MODEL), "ffn_down": (D_MODEL, D_MLP),
            }  # fmt: skip
            found |= {f"blk.{layer}.{name}.weight": drawn(*shape) for name, shape in shapes.items()}
        found |= self.extra
        return {name: weight for name, weight in found.items() if name not in self.without}

    def write(self, path: Path) -> Path:
        """Write the file."""
        writer = gguf.GGUFWriter(path, self.architecture)
        writer.add_string("general.type", self.general_type)
        writer.add_block_count(N_LAYERS)
        writer.add_context_length(N_CTX)
        writer.add_embedding_length(D_MODEL)
        writer.add_feed_forward_length(D_MLP)
        writer.add_head_count(N_HEADS)
        writer.add_head_count_kv(N_KV_HEADS)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10_000.0)
        writer.add_rope_dimension_count(D_HEAD)
        writer.add_vocab_size(len(self.tokens()))
        adders = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        for key, value in self.values.items():
            adders[type(value)](key.replace("{arch}", self.architecture), value)
        if self.tokenizer is not None:
            self._write_vocabulary(writer)
        for name, weight in self.weights().items():
            kind = self.kinds.get(name.split(".")[-2], Kind.F32)
            if weight.dtype != np.float32:
                writer.add_tensor(name, weight)
            else:
                writer.add_tensor(name, gguf.quants.quantize(weight, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def _write_vocabulary(self, writer: gguf.GGUFWriter) -> None:
        tokens = self.tokens()
        n_normal = len(tokens) - len(CONTROL) - self.n_filled_in
        types = [TokenType.CONTROL] * len(CONTROL) + [TokenType.NORMAL] * n_normal
        writer.add_tokenizer_model(str(self.tokenizer))
        if self.rule is not None:
            writer.add_tokenizer_pre(self.rule)
        writer.add_token_list(tokens)
        writer.add_token_types([*types, *[TokenType.UNUSED] * self.n_filled_in])
        writer.add_token_merges(list(MERGES))
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(False)
        writer.add_chat_template(TEMPLATE)


def resolve(path: Path) -> ModelIdentity:
    """The model that a file is."""
    return resolve_identity(ModelConfig(name=str(path)))
