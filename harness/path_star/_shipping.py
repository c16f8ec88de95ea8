"""Writing a trained path-star model as a folder that boots like any other model."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from harness.files import write_whole
from harness.path_star.codec import Codec, NumeralCodec, TextCodec
from harness.path_star.recipe import TASK_FILE, PathStarRecipe

OBJECTIVE_FILE = "objective.safetensors"


def ship(model: Any, recipe: PathStarRecipe, codec: Codec, steps: int, folder: Path) -> None:
    """Weights, config and tokenizer, the recipe, and apart from them the objective's own modules."""
    folder.mkdir(parents=True, exist_ok=True)
    causal = model.causal
    # A shipped model names no attention of ours.
    if causal.config.model_type == "gpt2":
        causal.set_attn_implementation("eager")
    causal.save_pretrained(folder)
    if isinstance(codec, NumeralCodec):
        make_tokenizer(codec).save_pretrained(folder)
    elif isinstance(codec, TextCodec):
        codec.tokenizer.save(folder)
    own = {name: tensor.detach().contiguous() for name, tensor in model.objective.state_dict().items()}
    if own:
        write_whole(folder / OBJECTIVE_FILE, save(own))
    card = {"recipe": recipe.as_dict(), "task": recipe.task.label, "steps": steps}
    # Last: its presence says that the folder is whole.
    write_whole(folder / TASK_FILE, json.dumps(card, indent=2).encode())


def make_tokenizer(codec: NumeralCodec) -> PreTrainedTokenizerFast:
    """The numeral tokenizer in transformers' format: numbers and signs, commas dropped."""
    vocab = {codec.name_of(token): token for token in range(codec.vocab_size)}
    backend = Tokenizer(models.WordLevel(vocab, unk_token="$"))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[,\s]+"), "removed"),
            pre_tokenizers.Split(Regex(r"\d+|[|/=$]"), "isolated"),
        ]
    )
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False)
