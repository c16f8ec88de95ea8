"""Passes of tokens through a real model: entropy and its gradient for GlitchMiner, activations for GlitchProber."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from harness.glitch.census.questions import Question
from harness.glitch.detectors.view import Activations, EntropyGradient, Uncertainty
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.pass_size import rows_per_pass
from harness.models.batch_size import choose_batch_size
from harness.models.loaded import LoadedModel
from harness.models.tokenizers import Tokenizer

# miner.py adds this inside the logarithm.
_INSIDE_LOG = 1e-6


class ModelPasses:
    """`harness.glitch.detectors.view.Passes` on a model.

    `verdict_includes_repetition`: a query of the oracle always asks by the repetition prompt, so that activations are
    read from that prompt's first pass at no further cost. What stands before the token in a prompt is the same for all
    tokens: it could be read once, and is charged to nobody, as for queries. `booted` opens the model with hooks when
    activations are first read.
    """

    def __init__(
        self,
        model: CausalModel,
        booted: Callable[[], LoadedModel],
        tokenizer: Tokenizer,
        mining: Question,
        repetition: Question,
        verdict_includes_repetition: bool = True,
    ) -> None:
        self._model, self._boot, self._tokenizer = model, booted, tokenizer
        self._mining, self._repetition = mining, repetition
        self._verdict_includes_repetition = verdict_includes_repetition
        self._kept: dict[tuple[float, float], dict[int, np.ndarray]] = {}

    @property
    def can_measure_uncertainty(self) -> bool:
        """Whether GlitchMiner's prompt fits the model's window."""
        return self._fits(self._mining)

    @property
    def mining_length(self) -> int:
        """Positions of GlitchMiner's prompt from the token on."""
        return self._length(self._mining)

    @property
    def activation_length(self) -> int:
        """Positions of the repetition prompt from the token on."""
        return self._length(self._repetition)

    def can_read_activations(self, layers: tuple[float, float]) -> bool:
        """Whether the repetition prompt fits and there are attention patterns and MLPs to read."""
        return self._fits(self._repetition) and bool(self._points(layers))

    @property
    def shares_activations(self) -> bool:
        """Whether a verdict's own first pass is the one activations are read from."""
        return self._verdict_includes_repetition

    def uncertainty(self, ids: Sequence[int]) -> Uncertainty:
        """One pass for each token, GlitchMiner's prompt."""
        entropies, predicted = [], []
        for some in self._chunks(ids, len(self._mining.prompt(0, self._tokenizer))):
            tokens = self._prompts(self._mining, some)
            logits = self._model.last_logits(tokens)
            entropies.append(_entropy(logits).cpu())
            predicted.append((logits.argmax(-1).cpu() == torch.tensor(some)).cpu())
        if not entropies:
            return Uncertainty(np.empty(0), np.empty(0, dtype=bool), 0)
        n_positions = len(ids) * self.mining_length
        return Uncertainty(torch.cat(entropies).double().numpy(), torch.cat(predicted).numpy(), n_positions)

    def entropy_gradient(self, token_id: int) -> EntropyGradient:
        """One forward and backward pass for one token; the gradient is by the prompt's first slot for it."""
        tokens = self._prompts(self._mining, [token_id])
        slot = self._slot(self._mining)
        with torch.enable_grad():
            rows = self._model.embed(tokens).requires_grad_(True)
            entropy = _entropy(self._model.last_logits_of_rows(rows))[0]
            (gradient,) = torch.autograd.grad(entropy, rows)
        return EntropyGradient(float(entropy.detach()), gradient[0, slot].float().cpu().numpy(), self.mining_length)

    def activations(self, ids: Sequence[int], layers: tuple[float, float]) -> Activations:
        """One pass for each token: what these layers do at the prompt's last position.

        What was read once is kept, for runs with other budgets and seeds; each is charged all the same.
        """
        kept = self._kept.setdefault(layers, {})
        new = [int(i) for i in dict.fromkeys(ids) if i not in kept]
        model, points = self._booted, self._points(layers)
        size = choose_batch_size(model, len(self._repetition.prompt(0, self._tokenizer)))
        for start in range(0, len(new), size):
            some = new[start : start + size]
            seen: dict[str, Tensor] = {}
            model.forward(self._prompts(self._repetition, some), {name: _keeper(seen, name) for name in points})
            rows = np.concatenate([self._read(seen, name) for name in points], axis=1)
            kept |= dict(zip(some, rows, strict=True))
        return Activations(np.stack([kept[int(i)] for i in ids]), len(ids) * self.activation_length)

    @cached_property
    def _booted(self) -> LoadedModel:
        return self._boot()

    def _points(self, layers: tuple[float, float]) -> tuple[str, ...]:
        names = set(self._booted.hook_names)
        n = self._booted.n_layers
        first, last = (min(n - 1, int(share * n)) for share in layers)
        wanted = []
        for layer in range(first, last + 1):
            block = f"blocks.{layer}"
            wanted.append(f"{block}.attn.hook_pattern")
            # With a gate: hook_pre is the gate before its non-linearity, hook_pre_linear the data. Without: hook_post.
            gated = f"{block}.mlp.hook_pre_linear" in names
            wanted += [f"{block}.mlp.hook_pre", f"{block}.mlp.hook_pre_linear"] if gated else [f"{block}.mlp.hook_post"]
        return tuple(name for name in wanted if name in names)

    def _read(self, seen: dict[str, Tensor], name: str) -> np.ndarray:
        values = seen[name]
        if name.endswith("mlp.hook_pre"):
            values = torch.nn.functional.silu(values)
        return values.flatten(1).float().cpu().numpy()

    def _prompts(self, question: Question, ids: Sequence[int]) -> Tensor:
        rows = [question.prompt(int(i), self._tokenizer) for i in ids]
        return torch.tensor(rows, dtype=torch.long, device=self._model.device)

    def _chunks(self, ids: Sequence[int], length: int) -> list[list[int]]:
        size = rows_per_pass(self._model, length, 0)
        return [[int(i) for i in ids[start : start + size]] for start in range(0, len(ids), size)]

    def _slot(self, question: Question) -> int:
        # An id no text leads to marks the slots.
        return question.prompt(-1, self._tokenizer).index(-1)

    def _length(self, question: Question) -> int:
        return len(question.prompt(0, self._tokenizer)) - self._slot(question)

    def _fits(self, question: Question) -> bool:
        window = self._model.n_ctx
        return window is None or len(question.prompt(0, self._tokenizer)) <= window


def _entropy(logits: Tensor) -> Tensor:
    probability = logits.float().softmax(-1)
    return -(probability * (probability + _INSIDE_LOG).log()).sum(-1)


def _keeper(seen: dict[str, Tensor], name: str) -> Callable[[Tensor], None]:
    is_pattern = name.endswith("hook_pattern")

    def keep(value: Tensor) -> None:
        # The last position alone: [batch head key] of a pattern, [batch neuron] of an MLP.
        seen[name] = (value[:, :, -1] if is_pattern else value[:, -1]).detach().clone()

    return keep
