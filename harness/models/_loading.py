"""Loading weights through transformers: kept quiet, and every way to fail told in one line."""

import gc
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from harness.errors import HarnessError, Rejected, RunFailed
from harness.models._no_installs import no_installs
from harness.models._quiet import LoadReport, quiet_loading
from harness.models.config import ModelConfig
from harness.models.config_file import ConfigFile
from harness.models.identity import ModelIdentity, ModelSource

# Endings of transformers' classes whose outputs are no predictions of a next token.
_OTHER_TASK = re.compile(
    r"For(MaskedLM|PreTraining|NextSentencePrediction|SequenceClassification|TokenClassification|QuestionAnswering|"
    r"MultipleChoice)$"
)


@contextmanager
def loading(identity: ModelIdentity, config: ModelConfig) -> Iterator[None]:
    """Load weights inside. Raises `Rejected` for what another config would avoid, `RunFailed` where memory runs out."""
    with no_installs(), quiet_loading(show_downloads=identity.source is ModelSource.HUB) as report:
        try:
            yield
        except HarnessError:
            raise
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise RunFailed(f"not enough memory to load {identity.name}") from error
        except Exception as error:  # transformers raises whatever a broken folder makes it stumble over
            raise _load_error(identity, config, report, error) from error
        if report.missing:
            raise _incomplete(identity, "lack", report.missing)


def require_causal(identity: ModelIdentity, file: ConfigFile) -> None:
    """Raise `Rejected` for weights of another task, which would load and predict masked words or labels, and for models
    that read images or sound beside text, which are never booted: their libraries want more packages.

    Where config.json states no architecture, nothing is known.
    """
    named = file.architectures[0] if file.architectures else "this model"
    if file.is_encoder_decoder or (file.architectures and all(map(_OTHER_TASK.search, file.architectures))):
        raise Rejected(
            f"model.name: got {identity.name!r}: {named} does not predict the next token, "
            "allowed: a causal language model"
        )
    if file.reads_more_than_text:
        raise Rejected(
            f"model.name: got {identity.name!r}: {named} reads images or sound beside text, allowed: a causal language "
            "model of text alone (the family's text-only checkpoint, or this one's language model saved by itself with "
            "transformers); exp=token_audit takes it as it is"
        )


def error_text(error: BaseException, most: int = 300) -> str:
    """An error of a library in one line: its class, what it says, or, where it is silent, the line it came from."""
    text = " ".join(str(error).split())[:most]
    if text:
        return f"{type(error).__name__}: {text}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    file = last.filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{type(error).__name__} in {file}, line {last.lineno}: {last.line or last.name}"[:most]


def input_rows(backend: Any) -> Float[Tensor, "d_vocab d_model"]:
    """The embedding of one of transformers' models, its own memory."""
    weight: Tensor = backend.get_input_embeddings().weight.detach()
    return weight


def output_rows(backend: Any) -> Float[Tensor, "d_vocab d_model"]:
    """The unembedding, one row per token, its own memory. Raises `RunFailed` for a model without such a matrix."""
    module = backend.get_output_embeddings()
    if module is None:
        raise RunFailed("this architecture has no unembedding matrix")
    weight: Tensor = module.weight.detach()
    return weight


def free_memory() -> None:
    """Free the memory of a model that is no longer referred to."""
    # Parts of a model refer to one another in circles: only the collector frees the weights.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def lens_version() -> str:
    """Version of TransformerLens, for messages about what it can boot."""
    return version("transformer-lens")


def _load_error(identity: ModelIdentity, config: ModelConfig, report: LoadReport, error: Exception) -> HarnessError:
    """The line that says what a failed load means."""
    text = " ".join(str(error).split())
    if report.mismatched:
        return _incomplete(identity, "have another shape than config.json says for", report.mismatched)
    if "trust_remote_code" in text:
        return Rejected(
            f"model.trust_remote_code: got {str(config.trust_remote_code).lower()}, allowed: true, for a model like "
            f"{identity.name} that runs its own Python code (read that code first)"
        )
    if "Could not determine supported architecture" in text or "Unsupported architecture" in text:
        return Rejected(
            f"model.name: got {identity.name!r}: its architecture is not one that TransformerLens {lens_version()} "
            "can boot"
        )
    if config.device_map is not None and ("device_map" in text or "accelerate" in text.lower()):
        return Rejected(f"model.device_map: got {config.device_map!r}: {text[:300]}")
    return Rejected(f"model.name: got {identity.name!r}: it cannot be loaded ({error_text(error)})")


def _incomplete(identity: ModelIdentity, problem: str, names: list[str]) -> Rejected:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return Rejected(f"model.name: got {identity.name!r}: its weights {problem} {len(names)} tensors ({shown})")
