"""Tiny models of many architectures, every parameter away from where training would begin: one row each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers as tf

VOCABULARY, WINDOW = 64, 64
# The names that most config classes share, and GPT-2's.
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": WINDOW,
    "pad_token_id": None,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ABSENT = "absent"
"""For a size that this configuration does not have."""
GPT2 = {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": WINDOW, "bos_token_id": 1}
GPT2 |= {"eos_token_id": 2}
GROUPED = {"num_key_value_heads": 2}


@dataclass(frozen=True)
class Row:
    """One configuration, and what booting it through the bridge should come to."""

    name: str
    config: type
    sizes: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None
    """Part of the line that refuses it; None for a model that runs."""
    folded_refused: str | None = None
    """The same for compatibility mode."""
    patterns: int = 2
    """Layers whose attention patterns the bridge gives."""
    slow: bool = False


def rope(kind: str, **more: Any) -> dict[str, Any]:
    """Rotary parameters of a kind, as transformers 5 wants them."""
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10_000.0, **more}}


def save_model(row: Row, folder: Path) -> Path:
    """Write the model of a row, with every parameter drawn anew around where it begins."""
    sizes = dict(row.sizes) if "n_embd" in row.sizes else {**COMMON, **row.sizes}
    torch.manual_seed(0)
    model = tf.AutoModelForCausalLM.from_config(
        row.config(**{key: value for key, value in sizes.items() if value != ABSENT})
    )
    perturb(model)
    model.save_pretrained(folder)
    return folder


def perturb(model: Any, by: float = 0.3) -> None:
    """Move every parameter, biases and norms included, so that none is left out of the answer."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in dict.fromkeys(model.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=generator) * by)


def row(name: str, config: type, **options: Any) -> Row:
    """A row in one line: what is not a field of `Row` goes to the config."""
    fields = {key: options.pop(key) for key in Row.__dataclass_fields__ if key in options}
    return Row(name, config, options, **fields)


OTHERWISE = r"TransformerLens .* computes \w+ otherwise with this config: log-probs differ by up to .* nats"
FOLDED_OTHERWISE = r"model.compatibility_mode: got true, allowed: false .* log-probs differ by up to .* nats"

ROWS = (
    row("gpt2", tf.GPT2Config, **GPT2),
    row("gpt2-inverse", tf.GPT2Config, **GPT2, scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True),
    row("gpt2-unscaled", tf.GPT2Config, **GPT2, scale_attn_weights=False, refused=OTHERWISE),
    row("gpt_bigcode", tf.GPTBigCodeConfig, slow=True, **GPT2),
    row("gpt_bigcode-unscaled", tf.GPTBigCodeConfig, **GPT2, scale_attn_weights=False, refused=OTHERWISE),
    row("gpt_bigcode-heads", tf.GPTBigCodeConfig, **GPT2, multi_query=False, refused="only supports multi_query=True"),
    row("llama", tf.LlamaConfig, **GROUPED),
    row("llama-biases", tf.LlamaConfig, slow=True, attention_bias=True, mlp_bias=True, head_dim=8),
    row("llama-linear", tf.LlamaConfig, slow=True, **rope("linear", factor=4.0)),
    row("llama-dynamic", tf.LlamaConfig, slow=True, **rope("dynamic", factor=4.0)),
    row(
        "llama-llama3",
        tf.LlamaConfig,
        **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
    ),
    row("llama-yarn", tf.LlamaConfig, slow=True, **rope("yarn", factor=4.0, original_max_position_embeddings=16)),
    row("gpt_neox", tf.GPTNeoXConfig),
    row(
        "gpt_neox-serial",
        tf.GPTNeoXConfig,
        slow=True,
        use_parallel_residual=False,
        attention_bias=False,
        refused=r"TransformerLens .* cannot \(AssertionError in neox.py, line \d+: assert ",
    ),
    row(
        "gpt_neo",
        tf.GPTNeoConfig,
        slow=True,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=8,
    ),
    row("gptj", tf.GPTJConfig, slow=True, **GPT2, rotary_dim=4),
    row("codegen", tf.CodeGenConfig, slow=True, **GPT2, rotary_dim=4),
    row("opt", tf.OPTConfig, slow=True, ffn_dim=24, word_embed_proj_dim=16),
    row("opt-post", tf.OPTConfig, slow=True, ffn_dim=24, word_embed_proj_dim=8, do_layer_norm_before=False),
    row("bloom", tf.BloomConfig, slow=True, n_layer=2, n_head=4),
    row(
        "bloom-post",
        tf.BloomConfig,
        n_layer=2,
        n_head=4,
        apply_residual_connection_post_layernorm=True,
        folded_refused=FOLDED_OTHERWISE,
    ),
    row("falcon", tf.FalconConfig, alibi=False),
    row(
        "falcon-new",
        tf.FalconConfig,
        slow=True,
        alibi=False,
        new_decoder_architecture=True,
        num_kv_heads=2,
        refused=r"TransformerLens .* cannot \(RuntimeError: split_with_sizes",
    ),
    row("falcon-alibi", tf.FalconConfig, alibi=True, refused=OTHERWISE),
    row("mpt", tf.MptConfig, slow=True, d_model=16, n_heads=4, n_layers=2, max_seq_len=WINDOW),
    row("mistral", tf.MistralConfig, **GROUPED, sliding_window=8, head_dim=4),
    row("mixtral", tf.MixtralConfig, slow=True, **GROUPED, num_local_experts=4, sliding_window=8),
    row("qwen2", tf.Qwen2Config, slow=True, **GROUPED),
    row(
        "qwen2-window",
        tf.Qwen2Config,
        slow=True,
        **GROUPED,
        use_sliding_window=True,
        sliding_window=8,
        max_window_layers=1,
    ),
    row("qwen3", tf.Qwen3Config, **GROUPED, head_dim=8),
    row(
        "qwen2_moe",
        tf.Qwen2MoeConfig,
        slow=True,
        **GROUPED,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=8,
        shared_expert_intermediate_size=8,
        decoder_sparse_step=1,
    ),
    row(
        "qwen2_moe-sparse",
        tf.Qwen2MoeConfig,
        slow=True,
        **GROUPED,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=8,
        shared_expert_intermediate_size=8,
        decoder_sparse_step=2,
    ),
    row(
        "qwen2_moe-norm",
        tf.Qwen2MoeConfig,
        slow=True,
        **GROUPED,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=8,
        shared_expert_intermediate_size=8,
        decoder_sparse_step=1,
        norm_topk_prob=True,
    ),
    row(
        "qwen3_moe",
        tf.Qwen3MoeConfig,
        slow=True,
        **GROUPED,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=8,
        head_dim=8,
    ),
    row("gemma", tf.GemmaConfig, slow=True, **GROUPED, head_dim=8),
    row(
        "gemma2",
        tf.Gemma2Config,
        **GROUPED,
        head_dim=8,
        sliding_window=8,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=5.0,
        query_pre_attn_scalar=16,
    ),
    row(
        "gemma3_text",
        tf.Gemma3TextConfig,
        **GROUPED,
        head_dim=8,
        sliding_window=8,
        query_pre_attn_scalar=16,
        layer_types=["sliding_attention", "full_attention"],
    ),
    row("phi", tf.PhiConfig, slow=True, partial_rotary_factor=0.5),
    row(
        "phi-layernorm",
        tf.PhiConfig,
        slow=True,
        partial_rotary_factor=0.5,
        qk_layernorm=True,
        refused="TransformerLens .* cannot .*q_layernorm",
    ),
    row("phi3", tf.Phi3Config, slow=True, **GROUPED, sliding_window=8),
    row("olmo", tf.OlmoConfig, slow=True, clip_qkv=1.0),
    row("olmo2", tf.Olmo2Config, slow=True, **GROUPED),
    row(
        "olmo3",
        tf.Olmo3Config,
        slow=True,
        **GROUPED,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
    ),
    row("olmoe", tf.OlmoeConfig, slow=True, num_experts=4, num_experts_per_tok=2),
    row("cohere", tf.CohereConfig, slow=True, **GROUPED, logit_scale=0.5),
    row("cohere-norm", tf.CohereConfig, slow=True, **GROUPED, use_qk_norm=True, logit_scale=1.0),
    row(
        "gpt_oss",
        tf.GptOssConfig,
        folded_refused=FOLDED_OTHERWISE,
        **GROUPED,
        head_dim=8,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
    ),
    row("stablelm", tf.StableLmConfig, slow=True, **GROUPED, partial_rotary_factor=0.5, use_qkv_bias=True),
    row("starcoder2", tf.Starcoder2Config, slow=True, **GROUPED, sliding_window=8),
    row(
        "granite",
        tf.GraniteConfig,
        slow=True,
        **GROUPED,
        attention_multiplier=0.3,
        residual_multiplier=0.5,
        embedding_multiplier=2.0,
    ),
    row("smollm3", tf.SmolLM3Config, slow=True, **GROUPED),
    row("mamba", tf.MambaConfig, num_attention_heads=ABSENT, state_size=4, time_step_rank=2, patterns=0),
    row(
        "mamba2",
        tf.Mamba2Config,
        slow=True,
        num_attention_heads=ABSENT,
        state_size=4,
        num_heads=4,
        head_dim=8,
        n_groups=2,
        chunk_size=8,
        patterns=0,
    ),
    row(
        "falcon_mamba",
        tf.FalconMambaConfig,
        slow=True,
        num_attention_heads=ABSENT,
        state_size=4,
        time_step_rank=2,
        patterns=0,
    ),
    row(
        "jamba",
        tf.JambaConfig,
        slow=True,
        **GROUPED,
        mamba_d_state=4,
        mamba_dt_rank=2,
        num_experts=2,
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        use_mamba_kernels=False,
        patterns=1,
    ),
    row(
        "recurrent_gemma",
        tf.RecurrentGemmaConfig,
        num_key_value_heads=1,
        lru_width=16,
        attention_window_size=8,
        num_hidden_layers=3,
        patterns=0,
    ),
)

FOLDED = tuple(
    row
    for row in ROWS
    if row.name in ("gpt2", "llama", "gpt_neox", "bloom", "bloom-post", "gemma2", "gpt_oss", "qwen2_moe")
)
