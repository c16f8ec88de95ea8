"""How well each token was predicted, read from logits in cache-sized pieces."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.errors import RunFailed

# Elements per piece. On a CPU its three working buffers (about 5 MB) stay in a core's own cache, so that the logits are
# read from memory once; an accelerator wants few large kernels instead.
_CPU_ELEMENTS = 400_000
_ACCELERATOR_ELEMENTS = 32_000_000


@dataclass(frozen=True)
class TargetStatistics:
    """The prediction of every token from the ones before it; `target` counts the predicted tokens, 1 to pos-1."""

    logprob: Float[Tensor, "batch target"]
    """Nats."""
    rank: Int[Tensor, "batch target"]
    """1 where the target has the highest logit of all; a tie counts against it."""
    entropy: Float[Tensor, "batch target"]
    """Of the predicted distribution, nats."""
    correct: Bool[Tensor, "batch target"]
    """Rank 1."""


def target_statistics(logits: Float[Tensor, "batch pos d_vocab"], tokens: Int[Tensor, "batch pos"]) -> TargetStatistics:
    """Log-prob, rank and entropy of every token given the ones before it.

    `logits[:, i]` predicts `tokens[:, i + 1]`; the last position predicts nothing here. Half-precision logits are
    widened piece by piece and nothing of the size of `logits` is allocated. A logit of minus infinity is a probability
    of zero (some models mask ids so). Raises `RunFailed` naming the first place where logits are NaN, plus infinity,
    all minus infinity or minus infinity for the target, and `ValueError` for fewer than two positions.
    """
    if tokens.shape[1] < 2:
        raise ValueError("a prediction needs at least two positions")
    return prediction_statistics(logits[:, :-1], tokens[:, 1:])


def prediction_statistics(
    logits: Float[Tensor, "batch target d_vocab"], targets: Int[Tensor, "batch target"]
) -> TargetStatistics:
    """Log-prob, rank and entropy of every target: `logits[:, i]` predicts `targets[:, i]`.

    For logits that were computed only where they are read; otherwise as `target_statistics`.
    """
    # An accelerator's logits stay there; targets follow them.
    logits, targets = logits.detach(), targets.to(logits.device)
    n_batch, n_columns = targets.shape
    shape = (n_batch, n_columns)
    work = _Workspace(logits, targets.numel())
    logprob = torch.empty(shape, dtype=work.dtype, device=logits.device)
    entropy = torch.empty_like(logprob)
    rank = torch.empty_like(logprob)
    for rows, columns in _pieces(*shape, work.n_rows):
        found = work.measure(logits[rows, columns], targets[rows, columns])
        logprob[rows, columns], rank[rows, columns], entropy[rows, columns] = found
    _refuse_non_finite(logprob, entropy)
    # Counts up to d_vocab are exact in float32 far beyond any vocabulary (2**24).
    ranks = rank.long() + 1
    return TargetStatistics(logprob, ranks, entropy, ranks == 1)


def margins(logits: Float[Tensor, "*shape d_vocab"], targets: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """By how much each target's logit is above the best other one; negative where another is likelier."""
    targets = targets.to(logits.device)[..., None]
    best, order = logits.topk(2, dim=-1)
    other = torch.where(order[..., :1] == targets, best[..., 1:], best[..., :1])
    return (logits.gather(-1, targets).float() - other.float())[..., 0]


class _Workspace:
    """Buffers for one piece, allocated once."""

    def __init__(self, logits: Tensor, n_predictions: int) -> None:
        self.dtype = torch.promote_types(logits.dtype, torch.float32)
        elements = _CPU_ELEMENTS if logits.device.type == "cpu" else _ACCELERATOR_ELEMENTS
        self.d_vocab = logits.shape[-1]
        self.n_rows = min(max(1, elements // self.d_vocab), n_predictions)
        size = self.n_rows * self.d_vocab
        self._shifted = torch.empty(size, dtype=self.dtype, device=logits.device)
        self._scratch = torch.empty_like(self._shifted)
        self._widened = torch.empty_like(self._shifted) if logits.dtype != self.dtype else None

    def measure(
        self, piece: Float[Tensor, "rows columns d_vocab"], targets: Int[Tensor, "rows columns"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-prob, number of other tokens at or above the target, entropy, each [rows, columns]."""
        shifted = self._shifted[: piece.numel()].view(piece.shape)
        scratch = self._scratch[: piece.numel()].view(piece.shape)
        if self._widened is not None:
            piece = self._widened[: piece.numel()].view(piece.shape).copy_(piece)
        target = piece.gather(-1, targets.unsqueeze(-1).long())
        # On the raw logits: subtracting the maximum first could round two different ones to a tie.
        rivals = torch.ge(piece, target, out=scratch).sum(-1) - 1
        highest = piece.amax(-1, keepdim=True)
        torch.sub(piece, highest, out=shifted)
        weights = torch.exp(shifted, out=scratch)
        total = weights.sum(-1)
        log_total = total.log()
        logprob = (target - highest).squeeze(-1) - log_total
        surprise = torch.linalg.vecdot(weights, shifted)
        if bool(surprise.isnan().any()):
            # Probability zero times minus infinity; what is broken rather than masked stays NaN.
            surprise = torch.linalg.vecdot(weights, shifted.clamp_(min=torch.finfo(self.dtype).min))
        return logprob, rivals, log_total - surprise / total


def _pieces(n_batch: int, n_columns: int, n_rows: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of at most `n_rows` predictions: whole sequences where they fit, parts of one sequence where not."""
    if n_rows >= n_columns:
        step = n_rows // n_columns
        for start in range(0, n_batch, step):
            yield slice(start, min(start + step, n_batch)), slice(0, n_columns)
        return
    for sequence in range(n_batch):
        for start in range(0, n_columns, n_rows):
            yield slice(sequence, sequence + 1), slice(start, min(start + n_rows, n_columns))


def _refuse_non_finite(logprob: Float[Tensor, "batch target"], entropy: Float[Tensor, "batch target"]) -> None:
    """A NaN or plus infinity anywhere among a position's logits makes its entropy NaN."""
    bad = ~(entropy.isfinite() & logprob.isfinite())
    if not bool(bad.any()):
        return
    sequence, position = (int(index) for index in bad.nonzero()[0])
    raise RunFailed(
        f"the model's logits are NaN or infinite at {int(bad.sum())} of {bad.numel()} predictions,"
        f" first in sequence {sequence} of the batch at position {position}"
        " (a wider dtype, model.dtype=float32, or other weights may help)"
    )
