"""Whether a model computes the same through TransformerLens' bridge as in plain transformers, tried at every boot.

A few random ids go through the plain model while its weights are being handed to the bridge, which rebuilds its modules
around them, and then through the bridge: no weight is in memory twice.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.errors import Rejected, RunFailed
from harness.models._attention_choice import attending_rightly
from harness.models._loading import error_text

logger = logging.getLogger(__name__)

_ROUNDING: Mapping[torch.dtype, float] = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.02}
"""Differences in log-probs, in nats, that are put down to rounding in every model."""
_AMPLIFIED = 5.0
"""How many times the effect of rounding the embedding once the rounding of a whole model may have: seldom above 1 in
healthy models, more where an expert is chosen by a hair."""

_N_ROWS, _N_POS = 2, 12
# Compared at the end of the long row: the positions that something a window further back would reach.
_BEYOND = 8
_MOST_POSITIONS = 1_024
# Multiplications that the long row may cost; a second or two.
_AFFORDABLE = {"cpu": 1e11, "mps": 1e12, "cuda": 1e13}
# What config files call a distance at which a model begins to compute otherwise.
_DISTANCES = (
    "sliding_window",
    "window_size",
    "attention_window_size",
    "attention_chunk_size",
    "original_max_position_embeddings",
    "chunk_size",
    "mamba_chunk_size",
)


@dataclass(frozen=True)
class Probe:
    """Ids that both ways of running a model are asked about."""

    tokens: Int[Tensor, "batch pos"]
    n_compared: int
    """Positions compared, counted from the end."""

    def log_probs(self, logits: Float[Tensor, "batch pos d_vocab"]) -> Float[Tensor, "batch compared d_vocab"]:
        """What is compared, in float32 on the CPU."""
        return logits[:, -self.n_compared :].float().log_softmax(-1).cpu()


@dataclass(frozen=True)
class Comparison:
    """How far two ways of running a model are apart, in nats of log-probs."""

    largest: float
    tolerance: float
    """What rounding explains in this model."""

    @property
    def agrees(self) -> bool:
        """Whether both compute the same."""
        return self.largest <= self.tolerance


class Witness:
    """Stands in for the class that weights are loaded with, and keeps what the plain model says of the probes.

    `source` gives, for a config of transformers, the class that loads its weights; `device` is where the model will
    run, None where the loading library places it.
    """

    def __init__(self, source: Callable[[Any], Any], n_ctx: int | None, device: str | None) -> None:
        self._source, self._n_ctx, self._device = source, n_ctx, device
        self._answers: list[tuple[Probe, Tensor]] = []
        self._architecture = ""

    @property
    def architecture(self) -> str:
        """transformers' class of the model; empty before it was loaded."""
        return self._architecture

    @property
    def has_answers(self) -> bool:
        """Whether the plain model was loaded and could be run."""
        return bool(self._answers)

    def from_pretrained(self, location: str, *, config: Any, **options: Any) -> Any:
        """The model as `source` loads it, asked once. Raises `Rejected` where transformers itself cannot run it."""
        backend = self._source(config).from_pretrained(location, config=config, **options).eval()
        if self._device is not None:
            backend = backend.to(self._device)
        self._architecture = type(backend).__name__
        chosen = probes(backend, self._n_ctx)
        try:
            with attending_rightly(backend, is_placed=self._device is None) as plain:
                self._answers = [(probe, probe.log_probs(_logits(plain, probe.tokens))) for probe in chosen]
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # whatever a config that does not fit its weights makes a model stumble over
            raise Rejected(
                f"model.name: got {location!r}: transformers loads {self._architecture} and cannot run it "
                f"({error_text(error)}); allowed: a model whose config.json fits its weights"
            ) from error
        return backend

    def compare(self, forward: Callable[[Tensor], Tensor], embedding: Any) -> Comparison:
        """The plain model's log-probs against those of another way of running it, `forward`, on every probe.

        `embedding` is the module that `forward` reads ids through: where the difference is no mere last digit, rounding
        what it gives out shows how far rounding carries in this model.
        """
        if not self._answers:
            raise RunFailed("the plain model was never asked")
        probes, expected = zip(*self._answers, strict=True)
        theirs = [probe.log_probs(logits := forward(probe.tokens)) for probe in probes]
        tolerance = _ROUNDING[logits.dtype]
        largest = _largest(theirs, expected)
        if largest > tolerance:
            with _rounded_once(embedding):
                again = [probe.log_probs(forward(probe.tokens)) for probe in probes]
            tolerance = max(tolerance, _AMPLIFIED * _largest(theirs, again))
        return Comparison(largest, tolerance)


def probes(backend: Any, n_ctx: int | None) -> list[Probe]:
    """Short rows whose first ids are special ones, and where a config states distances, a row that is longer.

    Says in the log which distances the long row does not reach.
    """
    config = backend.config.get_text_config()
    n_ids = int(backend.get_input_embeddings().weight.shape[0])
    generator = torch.Generator().manual_seed(0)
    n_pos = min(_N_POS, n_ctx or _N_POS)
    short = torch.randint(0, n_ids, (_N_ROWS, n_pos), generator=generator)
    # Ids that stand for padding somewhere: were one taken for it, the rest of its row would show it.
    padding = [0, *(i for i in (config.eos_token_id, config.pad_token_id) if isinstance(i, int) and 0 <= i < n_ids)]
    first = torch.tensor(padding[:n_pos])
    short[0, : len(first)] = first
    chosen = [Probe(short, n_pos)]
    distances = stated_distances(config, n_ctx)
    if distances:
        most = min(_MOST_POSITIONS, affordable_positions(backend), n_ctx or _MOST_POSITIONS)
        reached = [distance for distance in distances if distance < most]
        missed = [distance for distance in distances if distance >= most]
        if missed:
            logger.info(
                "the bridge is not compared with the plain model beyond %s tokens, which would take long",
                " and ".join(map(str, missed)),
            )
        if reached:
            length = min(max(reached) + _BEYOND, most)
            long = torch.randint(0, n_ids, (1, length), generator=generator)
            # First: a rotary table that grew for the long row shrinks again for the short one.
            chosen.insert(0, Probe(long, min(_BEYOND, length)))
    return chosen


def stated_distances(config: Any, n_ctx: int | None) -> list[int]:
    """Distances at which a model begins to compute otherwise (windows, chunks, rotary scalings), within its context."""
    levels = [config, *(getattr(config, name, None) for name in ("rope_parameters", "rope_scaling"))]
    flat = [level if isinstance(level, dict) else vars(level) for level in levels if level is not None]
    # Models with two kinds of layers keep one dictionary for each.
    flat += [inner for level in flat[1:] for inner in level.values() if isinstance(inner, dict)]
    found = {level.get(name) for level in flat for name in _DISTANCES}
    whole = {value for value in found if isinstance(value, int) and not isinstance(value, bool) and value > 0}
    return sorted(value for value in whole if n_ctx is None or value < n_ctx)


def affordable_positions(backend: Any) -> int:
    """How long a row may be for the check to stay a small part of booting."""
    n_parameters = sum(parameter.numel() for parameter in backend.parameters())
    device = next(backend.parameters()).device.type
    return int(_AFFORDABLE.get(device, 1e11) / (2 * max(1, n_parameters)))


def _logits(backend: Any, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
    options = {"use_cache": False} if "use_cache" in inspect.signature(backend.forward).parameters else {}
    device = backend.get_input_embeddings().weight.device
    with torch.inference_mode():
        logits: Tensor = backend(input_ids=tokens.to(device), **options).logits
    return logits


def _largest(ones: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    # NaN on one side alone is a difference, too.
    return max(float((a - b).abs().nan_to_num(torch.inf).max()) for a, b in zip(ones, others, strict=True))


@contextmanager
def _rounded_once(embedding: Any) -> Iterator[None]:
    """What the embedding gives out is off by half its last digit."""
    generator = torch.Generator().manual_seed(1)

    def jitter(module: Any, inputs: Any, output: Tensor) -> Tensor:  # noqa: ARG001  (torch's signature)
        by = torch.randn(output.shape, generator=generator).to(output) * (torch.finfo(output.dtype).eps / 2)
        return output * (1 + by)

    handle = embedding.register_forward_hook(jitter)
    try:
        yield
    finally:
        handle.remove()
