"""The models that are trained on path-star graphs, from scratch or from pretrained weights."""

from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MambaConfig,
    MambaForCausalLM,
)

from harness.errors import FieldRejected
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.config_file import load_config_file
from harness.models.identity import ModelIdentity, resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from harness.path_star.codec import Codec, NumeralCodec, TextCodec
from harness.path_star.recipe import Architecture, PathStarRecipe
from harness.training import attention


def pretrained_identity(recipe: PathStarRecipe) -> ModelIdentity | None:
    """Who the model to fine-tune is; None when training from scratch. Loads no weights; raises `Rejected`."""
    if recipe.pretrained is None:
        return None
    return resolve_identity(ModelConfig(name=recipe.pretrained))


def make_codec(recipe: PathStarRecipe) -> Codec:
    """How the task is written for this model; raises `Rejected` for a pretrained one without a tokenizer."""
    identity = pretrained_identity(recipe)
    if identity is None:
        return NumeralCodec(recipe.task, recipe.way.has_signs)

    tokenizer = load_tokenizer(identity, ModelConfig(name=identity.name), TokenizerConfig())
    if tokenizer is None:
        raise FieldRejected(f"pretrained: got {recipe.pretrained!r}: it comes without a tokenizer")
    return TextCodec(recipe.task, tokenizer, load_config_file(identity).d_vocab)


def make_model(recipe: PathStarRecipe, codec: Codec, n_pos: int) -> Any:
    """The model before its first step; `weights_seed` varies its initial weights, `n_pos` is the longest row."""
    torch.manual_seed(recipe.weights_seed + recipe.replicate)
    if recipe.architecture is Architecture.GPT2:
        return _gpt2(recipe, codec, n_pos)
    if recipe.architecture is Architecture.GPT_NEOX:
        return _gpt_neox(recipe, codec, n_pos)
    if recipe.architecture is Architecture.MAMBA:
        return _mamba(recipe, codec, n_pos)
    return _pretrained(recipe, n_pos)


def _gpt2(recipe: PathStarRecipe, codec: Codec, n_pos: int) -> Any:
    config = GPT2Config(
        vocab_size=codec.vocab_size,
        n_positions=n_pos,
        n_embd=recipe.d_model,
        n_layer=recipe.n_layers,
        n_head=recipe.n_heads,
        activation_function=recipe.activation,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=recipe.init_std,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=codec.pad_id,
    )
    model = GPT2LMHeadModel._from_config(config, attn_implementation=_attention_kernel())
    for name, parameter in model.named_parameters():
        if name.endswith("c_proj.weight"):
            torch.nn.init.normal_(parameter, std=recipe.init_std)
    return model


def _gpt_neox(recipe: PathStarRecipe, codec: Codec, n_pos: int) -> Any:
    config = GPTNeoXConfig(
        vocab_size=codec.vocab_size,
        max_position_embeddings=n_pos,
        hidden_size=recipe.d_model,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        intermediate_size=4 * recipe.d_model,
        hidden_act=recipe.activation,
        initializer_range=recipe.init_std,
        use_parallel_residual=False,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
        # Nothing is padded; with a pad id set, transformers would warn where that id occurs in a row.
        pad_token_id=None,
    )
    return GPTNeoXForCausalLM._from_config(config, attn_implementation=_attention_kernel())


def _attention_kernel() -> str:
    # PyTorch's fused attention is slow in bf16 on a CPU, and fast on a GPU.
    return "sdpa" if torch.cuda.is_available() else attention.register()


def _mamba(recipe: PathStarRecipe, codec: Codec, n_pos: int) -> Any:
    del n_pos  # no window
    config = MambaConfig(
        vocab_size=codec.vocab_size,
        hidden_size=recipe.d_model,
        num_hidden_layers=recipe.n_layers,
        state_size=recipe.d_state,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=codec.pad_id,
    )
    return MambaForCausalLM(config)


def _pretrained(recipe: PathStarRecipe, n_pos: int) -> Any:
    identity = pretrained_identity(recipe)
    assert identity is not None, "the recipe refuses architecture=pretrained without a name"
    window = load_config_file(identity).n_ctx
    if window is not None and n_pos > window:
        raise FieldRejected(
            f"graph: got {recipe.graph!r}: its rows have up to {n_pos} tokens, allowed: up to {window}, the window "
            f"of {identity.name}"
        )
    return AutoModelForCausalLM.from_pretrained(
        identity.location, revision=identity.revision, dtype=torch.float32, use_cache=False
    )
