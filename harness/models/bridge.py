"""Boots models through TransformerLens' bridge: the one module that imports transformer_lens.

Hugging Face weights run unchanged unless `model.compatibility_mode` asks for TransformerLens' folded ones.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources._hf_format import determine_architecture_from_hf_config
from transformer_lens.model_bridge.sources.transformers.helpers import get_hf_model_class_for_architecture
from transformers import PreTrainedTokenizerFast

from harness.errors import HarnessError, Rejected, RunFailed, nearest
from harness.models._bridge_check import Witness
from harness.models._device import resolve_device
from harness.models._in_memory import fingerprint, lender
from harness.models._loading import (
    error_text,
    free_memory,
    input_rows,
    lens_version,
    loading,
    output_rows,
    require_causal,
)
from harness.models.config import DType, ModelConfig
from harness.models.config_file import ConfigFile, load_config_file
from harness.models.identity import ModelIdentity
from harness.models.loaded import NO_EDITS, NO_REDUCERS, PATTERN_SUFFIX, LoadedModel, ModelStructure

logger = logging.getLogger(__name__)

_LOOSE = 0.5
"""From this tolerance on (nats) a reader is told how close the bridge was checked."""

_WITHOUT_HOOKS = (
    "allowed: another model, or an experiment that needs no hooks (undertrained, census, echo_token, unused_logits)"
)


class BridgedModel(LoadedModel):
    """A `LoadedModel` on TransformerLens' bridge. Made by `boot`."""

    def __init__(self, bridge: Any, structure: ModelStructure, fingerprint: str) -> None:
        self._bridge = bridge
        # Looked up once: the bridge resolves all its aliases again on every access.
        self._points: dict[str, Any] = bridge.hook_dict
        self._structure = structure
        self._fingerprint = fingerprint
        first = next(bridge.original_model.parameters())
        self._device, self._dtype = str(bridge.cfg.device), first.dtype
        self._options = _forward_options(bridge.original_model)

    @property
    def structure(self) -> ModelStructure:
        """Names and sizes."""
        return self._structure

    @property
    def fingerprint(self) -> str:
        """Hash of weights, dtype, device kind, compatibility mode and library versions."""
        return self._fingerprint

    @property
    def device(self) -> str:
        """Where tokens go in."""
        return self._device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self._dtype

    def forward(
        self,
        tokens: Int[Tensor, "batch pos"],
        reducers: Mapping[str, Callable[[Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[Tensor], Tensor]] = NO_EDITS,
    ) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits of one pass; see `LoadedModel.forward`."""
        bridge = self._opened()
        self._refuse_longer(tokens.shape[1])
        self._refuse_unknown(tokens)
        with torch.inference_mode(), _hooked(self._points, _in_order(reducers, edits)):
            logits: Tensor = bridge(tokens.to(self._device), return_type="logits", **self._options)
        return logits

    def embedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """The embedding's rows as the model computes with them; shares the model's memory."""
        return input_rows(self._opened().original_model)

    def unembedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """The unembedding's rows, one per token; shares the model's memory."""
        return output_rows(self._opened().original_model)

    def head_output_weights(self, layer: int) -> Float[Tensor, "head d_head d_model"] | None:
        """The output projection by head; None for a layer without attention or of another shape."""
        attention = getattr(self._opened().blocks[layer], "attn", None)
        try:
            found = getattr(attention, "W_O", None)
        # The bridge looks weights up by rules of each architecture, which may not fit this layer.
        except (AttributeError, RuntimeError, ValueError):
            return None
        return found.detach() if isinstance(found, Tensor) and found.ndim == 3 else None

    def close(self) -> None:
        """Let go of the weights; safe to call twice."""
        bridge, self._bridge, self._points = self._bridge, None, {}
        if bridge is None:
            return
        bridge.close()
        del bridge
        free_memory()

    @property
    def backend(self) -> Any:
        """transformers' model with the bridge's modules in it. Raises `RunFailed` once closed."""
        return self._opened().original_model

    def _opened(self) -> Any:
        if self._bridge is None:
            raise RunFailed("the model was closed")
        return self._bridge


def boot(identity: ModelIdentity, config: ModelConfig) -> BridgedModel:
    """Load a model's weights, make them run, and compare a few log-probs with those of transformers' own model.

    Raises `Rejected` for what another config would avoid (architecture, device, compatibility mode, incomplete
    weights, a model that TransformerLens computes otherwise than transformers), `RunFailed` where memory runs out.
    """
    device = None if config.device_map is not None else resolve_device(config)
    file = load_config_file(identity, config.trust_remote_code)
    require_causal(identity, file)
    in_memory = lender(identity, config)
    witness = Witness((lambda _: in_memory) if in_memory is not None else _loading_class, file.n_ctx, device)
    with loading(identity, config):
        with _naming_the_culprit(identity, config, witness):
            bridge = _boot_bridge(identity, config, device, witness)
            _reject_other_tasks(bridge, identity)
            _drop_stashed_patterns(bridge)
            model = _bridged(bridge, identity, config, file)
            _require_agreement(model, witness, identity, is_folded=False)
        if config.compatibility_mode:
            _enable_compatibility(bridge, config)
            model = _bridged(bridge, identity, config, file)
            with _naming_the_culprit(identity, config, witness):
                _require_agreement(model, witness, identity, is_folded=True)
    return model


def _bridged(bridge: Any, identity: ModelIdentity, config: ModelConfig, file: ConfigFile) -> BridgedModel:
    names = _hook_names(bridge)
    structure = ModelStructure(
        hook_names=names,
        n_layers=int(bridge.cfg.n_layers),
        n_heads=int(bridge.cfg.n_heads),
        d_model=int(bridge.cfg.d_model),
        d_vocab=_logit_width(bridge, file.d_vocab),
        n_ctx=file.n_ctx,
        hides_attention=_attends(bridge) and not any(name.endswith(PATTERN_SUFFIX) for name in names),
    )
    return BridgedModel(bridge, structure, fingerprint(identity, config))


def _attends(bridge: Any) -> bool:
    # State space models state no heads, or call them otherwise.
    return bool(getattr(bridge.original_model.config.get_text_config(), "num_attention_heads", 0))


def _boot_bridge(identity: ModelIdentity, config: ModelConfig, device: str | None, witness: Witness) -> Any:
    placed: dict[str, Any] = {"device": device} if device is not None else {"device_map": config.device_map}
    return TransformerBridge.boot_transformers(
        identity.location,
        revision=identity.revision,
        dtype=getattr(torch, config.dtype.value),
        trust_remote_code=config.trust_remote_code,
        tokenizer=_placeholder_tokenizer(),
        # The bridge asks for every layer's attention in the output, which would keep all of them in memory;
        # its pattern hooks fire without. By its private name: the public one is a property, which the bridge misses.
        hf_config_overrides={"_output_attentions": False},
        model_class=witness,
        **placed,
    )


def _loading_class(config: Any) -> Any:
    return get_hf_model_class_for_architecture(determine_architecture_from_hf_config(config))


@contextmanager
def _naming_the_culprit(identity: ModelIdentity, config: ModelConfig, witness: Witness) -> Iterator[None]:
    """Where the plain model ran and the bridge fails, the line says that it is the bridge."""
    try:
        yield
    except (HarnessError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        if not witness.has_answers:
            raise
        raise Rejected(
            f"model.name: got {identity.name!r}: transformers runs {witness.architecture}, TransformerLens "
            f"{lens_version()} cannot ({error_text(error)}); {_WITHOUT_HOOKS}{_in_float32(config)}"
        ) from error


def _in_float32(config: ModelConfig) -> str:
    return "" if config.dtype is DType.FLOAT32 else ", or model.dtype=float32, in which fewer of its layers stumble"


def _require_agreement(model: BridgedModel, witness: Witness, identity: ModelIdentity, is_folded: bool) -> None:
    found = witness.compare(model.forward, model.backend.get_input_embeddings())
    logger.debug("the bridge's log-probs are within %.2g nats of the plain model's", found.largest)
    if found.agrees:
        if found.tolerance > _LOOSE:
            logger.info(
                "rounding in %s moves this model's log-probs so far that the bridge is checked to %.2g nats only; "
                "model.dtype=float32 checks closer",
                str(model.dtype).removeprefix("torch."),
                found.tolerance,
            )
        return
    model.close()
    differ = (
        f"log-probs differ by up to {found.largest:.2g} nats from transformers' on random ids (tolerance "
        f"{found.tolerance:.2g})"
    )
    lens = f"TransformerLens {lens_version()}"
    if is_folded:
        raise Rejected(
            f"model.compatibility_mode: got true, allowed: false for {identity.name}: with the weights that {lens} "
            f"folds {witness.architecture} computes otherwise: {differ}"
        )
    raise Rejected(
        f"model.name: got {identity.name!r}: {lens} computes {witness.architecture} otherwise with this config: "
        f"{differ}; {_WITHOUT_HOOKS}"
    )


def _reject_other_tasks(bridge: Any, identity: ModelIdentity) -> None:
    config = bridge.original_model.config
    if getattr(config, "is_encoder_decoder", False) or not bridge.adapter.supports_causal_loss:
        raise Rejected(
            f"model.name: got {identity.name!r}: {bridge.cfg.architecture} does not predict the next token, "
            "allowed: a causal language model"
        )


def _enable_compatibility(bridge: Any, config: ModelConfig) -> None:
    try:
        bridge.enable_compatibility_mode(disable_warnings=True)
    except Exception as error:
        raise Rejected(
            f"model.compatibility_mode: got true, allowed: false for {config.name}: TransformerLens {lens_version()} "
            f"refuses it ({error_text(error)})"
        ) from error


def _drop_stashed_patterns(bridge: Any) -> None:
    """Undo what the bridge's joint query-key-value attention does: keep its last pattern, which nothing ever reads.

    Left alone, every layer's [batch head query key] would stay in memory during the pass and after it.
    """

    def drop(module: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001  (torch's signature)
        module._pattern = None

    for module in bridge.original_model.modules():
        if "_pattern" in vars(module):
            module.register_forward_hook(drop)


def _placeholder_tokenizer() -> Any:
    """A tokenizer of one token for the bridge, which demands one; the harness encodes and decodes by itself.

    Models without a tokenizer boot, and no tokenizer is loaded twice.
    """

    backend = Tokenizer(WordLevel({"<none>": 0}, unk_token="<none>"))
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<none>", eos_token="<none>", pad_token="<none>")


def _hook_names(bridge: Any) -> tuple[str, ...]:
    # Hook points that the bridge's config turns off would be accepted and never fire.
    points = bridge.hook_dict.items()
    return tuple(sorted(name for name, point in points if bridge._gated_hook_reason(point.name or name) is None))


def _logit_width(bridge: Any, d_vocab: int) -> int:
    module = bridge.original_model.get_output_embeddings()
    return d_vocab if module is None else int(module.weight.shape[0])


def _forward_options(model: Any) -> dict[str, Any]:
    # One pass needs no key-value cache, which would hold every layer's keys and values till the end.
    return {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}


@contextmanager
def _hooked(points: Mapping[str, Any], hooks: Sequence[tuple[str, Callable[..., Tensor | None]]]) -> Iterator[None]:
    """Attach each function to its hook point, and take them off again whatever happens.

    The bridge's own context manager calls a hook twice in compatibility mode, once per alias.
    """
    unknown = [name for name, _ in hooks if name not in points]
    if unknown:
        raise Rejected.key("hook", unknown[0], f"a hook name of this model (near: {nearest(unknown[0], points)})")
    attached: list[tuple[Any, Any]] = []
    try:
        for name, function in hooks:
            attached.append((points[name], points[name].add_hook(function)))
        yield
    finally:
        for point, handle in attached:
            handle.hook.remove()
            point.fwd_hooks[:] = [other for other in point.fwd_hooks if other is not handle]


def _in_order(
    reducers: Mapping[str, Callable[[Tensor], None]], edits: Mapping[str, Callable[[Tensor], Tensor]]
) -> list[tuple[str, Callable[..., Tensor | None]]]:
    """Readers before edits: on one hook they read what the model made."""
    reading = [(name, _reading(reduce)) for name, reduce in reducers.items()]
    return [*reading, *((name, _editing(edit)) for name, edit in edits.items())]


def _editing(edit: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def change(activation: Tensor, hook: Any) -> Tensor:  # noqa: ARG001  (the bridge passes it by name)
        return edit(activation)

    return change


def _reading(reduce: Callable[[Tensor], None]) -> Callable[..., None]:
    def read(activation: Tensor, hook: Any) -> None:  # noqa: ARG001  (the bridge passes it by name)
        reduce(activation)

    return read
