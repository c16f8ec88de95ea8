"""The rows that tokens go in and come out by, read from the weight files without loading the model."""

import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import hf_hub_download
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from harness.models._hub import repository_files
from harness.models._loading import free_memory, input_rows, loading, output_rows, require_causal
from harness.models._weights import _CANDIDATES, find_weights
from harness.models.config import DType, ModelConfig
from harness.models.config_file import load_config_file
from harness.models.identity import ModelIdentity

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EmbeddingRows:
    """Both ends of a model, one row a token, float32."""

    embedding: Float[np.ndarray, "d_vocab d_model"]
    """What the model sees of each token."""
    unembedding: Float[np.ndarray, "d_vocab d_out"]
    """What it predicts each token by; the same array where the two are tied."""

    @property
    def is_tied(self) -> bool:
        """Whether both ends are one matrix."""
        return self.unembedding is self.embedding


def load_embedding_rows(identity: ModelIdentity, config: ModelConfig) -> EmbeddingRows:
    """The rows that the model of a config would have in memory, `model.dtype` and ties taken into account.

    Two tensors are read, found by their parameters' names in the architecture, which is built without memory, and by
    transformers' own rules for older names. Where that finds none, the model is loaded whole and let go of again. Kept
    for the next call of the process, one model.
    Raises `Rejected` for weights that cannot be loaded, `RunFailed` where there is no matrix or no memory.
    """
    return _load(identity, config.dtype, config.trust_remote_code)


@lru_cache(maxsize=1)
def _load(identity: ModelIdentity, dtype: DType, trust_remote_code: bool) -> EmbeddingRows:
    config = ModelConfig(name=identity.name, dtype=dtype, device="cpu", trust_remote_code=trust_remote_code)
    # Pools ask for rows before any model is loaded, and transformers' own words for T5 name a hundred classes.
    require_causal(identity, load_config_file(identity, trust_remote_code))
    with loading(identity, config):
        rows = _from_files(identity, config)
        if rows is None:
            logger.info("%s: rows are not found by name; loading the model whole for them", identity.label)
            rows = _from_model(identity, config)
    return rows


def _from_files(identity: ModelIdentity, config: ModelConfig) -> EmbeddingRows | None:
    """None where the architecture can't be built without memory, or the files hold no tensor for one of its ends."""
    model = _without_memory(identity, config)
    if model is None:
        return None
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters(remove_duplicate=False)}
    # Tied, both names are one parameter, and the files may hold either or both.
    own_names = [_name_of(model, module) for module in (model.get_input_embeddings(), model.get_output_embeddings())]
    if own_names[0] is None or own_names[1] is None:
        return None
    is_tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    stored = _stored(identity, model, {name for name in own_names if name is not None})
    read = {name: _read(path, spelling) for name, (path, spelling) in stored.items()}
    if any(tuple(tensor.shape) != shapes[name] for name, tensor in read.items()):
        return None
    if is_tied and len(read) == 1:
        array = _as_array(next(iter(read.values())), config)
        return EmbeddingRows(array, array)
    if len(read) < len(set(own_names)):
        return None
    first, second = (_as_array(read[name], config) for name in own_names if name is not None)
    # transformers keeps apart what the config ties where the files hold both, with different numbers.
    return EmbeddingRows(first, first if is_tied and np.array_equal(first, second) else second)


def _without_memory(identity: ModelIdentity, config: ModelConfig) -> Any:
    """The architecture with shapes and names and no numbers; None for one that computes while it is built."""
    remote = {"trust_remote_code": config.trust_remote_code}
    full = AutoConfig.from_pretrained(identity.location, revision=identity.revision, **remote)
    try:
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(full, **remote)
        if model.get_input_embeddings().weight.is_meta and model.get_output_embeddings().weight.is_meta:
            return model
        reason = "its embedding is no plain matrix"
    except (AttributeError, ImportError, NotImplementedError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
    logger.info("%s cannot be built without memory: %s", identity.label, reason)
    return None


def _name_of(model: Any, module: Any) -> str | None:
    found = next((name for name, other in model.named_modules() if other is module), None)
    return None if found is None else f"{found}.weight"


def _stored(identity: ModelIdentity, model: Any, wanted: set[str]) -> dict[str, tuple[Path, str]]:
    """For each wanted parameter that the files hold: the file, and the name it has there (GPT-NeoX: `embed_out`)."""
    transforms = get_model_conversion_mapping(model)
    renamings = [item for item in transforms if isinstance(item, WeightRenaming)]
    converters = [item for item in transforms if isinstance(item, WeightConverter)]
    names = model.state_dict()
    found: dict[str, tuple[Path, str]] = {}
    for spelling, file_name in _tensors(identity).items():
        for rules in ((renamings, converters), ([], [])):
            name, converter = rename_source_key(spelling, *rules, model.base_model_prefix, names)
            if name in wanted and converter is None:
                found.setdefault(name, (_local(identity, file_name), spelling))
                break
    return found


def _tensors(identity: ModelIdentity) -> dict[str, str]:
    """The name of every stored tensor, and of the file it is in."""
    if identity.path is not None:
        first = find_weights(identity.path).paths[0].name
    else:
        there = repository_files(identity.name, identity.revision)
        first = next((name for name in _CANDIDATES if name in there), "")
    if not first:
        return {}
    path = _local(identity, first)
    if path.suffix == ".json":
        weight_map: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        return weight_map
    return dict.fromkeys(sorted(_tensor_names(path)), first)


def _local(identity: ModelIdentity, name: str) -> Path:
    if identity.path is not None:
        return identity.path / name
    return Path(hf_hub_download(identity.name, name, revision=identity.revision))


def _tensor_names(path: Path) -> set[str]:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return set(file.keys())
    return set(torch.load(path, map_location="meta", weights_only=True))


def _read(path: Path, name: str) -> Tensor:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            tensor: Tensor = file.get_tensor(name)
        return tensor
    content: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return content[name]


def _as_array(tensor: Tensor, config: ModelConfig) -> Float[np.ndarray, "d_vocab width"]:
    rounded = tensor.detach().to(getattr(torch, config.dtype.value)).float()
    array: np.ndarray = rounded.contiguous().cpu().numpy()
    return array


def _from_model(identity: ModelIdentity, config: ModelConfig) -> EmbeddingRows:
    model: Any = AutoModelForCausalLM.from_pretrained(
        identity.location,
        revision=identity.revision,
        dtype=getattr(torch, config.dtype.value),
        trust_remote_code=config.trust_remote_code,
        local_files_only=identity.path is not None,
    )
    first, second = input_rows(model), output_rows(model)
    is_tied = first.data_ptr() == second.data_ptr()
    embedding = _as_array(first.clone(), config)
    rows = EmbeddingRows(embedding, embedding if is_tied else _as_array(second.clone(), config))
    del model, first, second
    free_memory()
    return rows
