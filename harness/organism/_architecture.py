"""The networks that an organism can be."""

from typing import Any

import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPTNeoXConfig, PreTrainedConfig, PreTrainedModel

from harness.organism.recipe import Architecture, RecipeConfig
from harness.training import attention
from harness.training.positions import initial_positions

# The same function as gelu_new in one kernel instead of eight.
_TRAINED_WITH = {"gelu_new": "gelu_pytorch_tanh"}


def make_config(recipe: RecipeConfig) -> PreTrainedConfig:
    """The architecture, without dropout."""
    bos = recipe.vocab_size - 1
    match recipe.architecture:
        case Architecture.GPT2:
            return GPT2Config(
                vocab_size=recipe.vocab_size,
                n_positions=recipe.context,
                n_embd=recipe.d_model,
                n_layer=recipe.n_layers,
                n_head=recipe.n_heads,
                activation_function="gelu_new",
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=bos,
                eos_token_id=bos,
                tie_word_embeddings=recipe.tied,
            )
        case Architecture.GPT_NEOX:
            return GPTNeoXConfig(
                vocab_size=recipe.vocab_size,
                max_position_embeddings=recipe.context,
                hidden_size=recipe.d_model,
                intermediate_size=4 * recipe.d_model,
                num_hidden_layers=recipe.n_layers,
                num_attention_heads=recipe.n_heads,
                hidden_act="gelu_new",
                # A quarter, as in Pythia: what is not turned by the position is free to match tokens. With all of it
                # turned no copying had been learnt in the steps that a quarter takes.
                rope_parameters={"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.25},
                use_parallel_residual=False,
                bos_token_id=bos,
                eos_token_id=bos,
                tie_word_embeddings=recipe.tied,
            )


def make_model(recipe: RecipeConfig) -> PreTrainedModel:
    """The untrained model; `weights_seed` varies its weights."""
    torch.manual_seed(recipe.weights_seed)
    model: Any = _build(make_config(recipe), attention.register(), False)
    if recipe.architecture is Architecture.GPT2:
        model.transformer.wpe.weight.data.copy_(torch.from_numpy(initial_positions(recipe.context, recipe.d_model)))
    if recipe.embedding_std != RecipeConfig.USUAL_STD:
        matrices = [model.get_input_embeddings().weight]
        if not recipe.tied:
            matrices.append(model.get_output_embeddings().weight)
        for weight in matrices:
            weight.data.mul_(recipe.embedding_std / RecipeConfig.USUAL_STD)
    return model


def as_shipped(model: PreTrainedModel, recipe: RecipeConfig) -> PreTrainedModel:
    """The trained weights in a model that names nothing of ours."""
    shipped = _build(make_config(recipe), "eager", True)
    shipped.load_state_dict(model.state_dict())
    return shipped.eval()


def _build(config: PreTrainedConfig, attention_implementation: str, use_cache: bool) -> PreTrainedModel:
    if not use_cache:
        name = "activation_function" if isinstance(config, GPT2Config) else "hidden_act"
        setattr(config, name, _TRAINED_WITH[getattr(config, name)])
    config.use_cache = use_cache
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention_implementation)
