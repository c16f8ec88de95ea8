"""How likely a token is where a prompt asks for it: the test that an under-trained token fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from harness.models.answers.causal_model import CausalModel
from harness.models.answers.decoding import decode, observed_logprobs


@dataclass(frozen=True)
class TargetProbabilities:
    """Probability of each token at each greedy position after its prompt."""

    probability: Float[np.ndarray, "token step"]
    answer_ids: tuple[tuple[int, ...], ...]
    """The greedy answers, with or without the token."""
    n_positions: int
    """Token positions that went through the model."""

    @property
    def highest(self) -> Float[np.ndarray, " token"]:
        """The largest over the positions: `max_prob` of one prompt."""
        best: np.ndarray = self.probability.max(axis=1)
        return best


def target_probabilities(
    model: CausalModel,
    ids: Sequence[int],
    prompt_of: Callable[[int], Sequence[int]],
    n_steps: int = 3,
    batch_size: int | None = None,
) -> TargetProbabilities:
    """Probability of every id at the `n_steps` greedy positions after its own prompt `prompt_of(id)`.

    From the log-softmax of the raw logits in float32 (Land & Bartolo 2024, fishing.py). Raises `RunFailed` where a
    prompt does not fit the model's window.
    """
    targets = torch.tensor(list(ids), dtype=torch.long, device=model.device)
    observe, found = observed_logprobs(targets, n_steps)
    prompts = [prompt_of(token) for token in ids]
    answers = decode(model, prompts, n_steps, observe=observe, batch_size=batch_size)
    return TargetProbabilities(found.exp().cpu().numpy(), answers.tokens, answers.n_positions)
