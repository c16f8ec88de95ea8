"""Decode the answers to many prompts together: common beginning read once, rows of one length, no padding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.models.answers._continuation import Prefix
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.pass_size import rows_per_pass
from harness.models.batch_size import halve_on_oom

# Rows that have ended are dropped once this share of a batch has: dropping copies the others' keys and values.
_WORTH_DROPPING = 0.2


@runtime_checkable
class Stop(Protocol):
    """Decides which answers have ended."""

    def reset(self, rows: Int[Tensor, " batch"]) -> None:
        """These prompts (by number) begin to be answered, perhaps for the second time."""
        ...

    def update(self, rows: Int[Tensor, " batch"], tokens: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
        """Whether the answers to these prompts end with the tokens just generated."""
        ...


Choose = Callable[[Tensor, Tensor, int], Tensor]
"""(rows [batch], logits [batch d_vocab], step) -> each row's next token [batch]."""
Observe = Callable[[Tensor, Tensor, int], None]
"""(rows [batch], logits [batch d_vocab], step): gets the logits a token is chosen from."""


@dataclass(frozen=True)
class Answers:
    """The tokens generated for each prompt, and at what cost."""

    tokens: tuple[tuple[int, ...], ...]
    """Ids per prompt, in the order of the prompts; the one that ended the answer is included."""
    n_positions: int
    """Token positions that went through the model."""


def likeliest(rows: Tensor, logits: Tensor, step: int) -> Tensor:  # noqa: ARG001  (a `Choose`)
    """Greedy decoding."""
    # In bfloat16 on a CPU argmax takes ten times as long as max; both return the first of equals.
    best: Tensor = logits.max(dim=-1).indices
    return best


def decode(
    model: CausalModel,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    stop: Stop | None = None,
    choose: Choose = likeliest,
    observe: Observe | None = None,
    batch_size: int | None = None,
    beginning: Prefix | None = None,
) -> Answers:
    """Answer every prompt with at most `max_new_tokens` tokens, each prompt until `stop` ends its answer.

    A prompt that occurs several times (to be sampled from) is read once for all of them. Greedy unless `choose` picks
    otherwise. `beginning`: what all prompts begin with, read before and not counted again; None: it is read here.
    Raises `RunFailed` where a prompt with its answer does not fit the model.
    """
    generated: list[list[int]] = [[] for _ in prompts]
    if not prompts:
        return Answers((), 0)
    shared = common_prefix(prompts) if beginning is None else len(beginning.ids)
    prefix = beginning or model.prefix(prompts[0][:shared], max(map(len, prompts)) + max_new_tokens)
    n_positions = prefix.n_positions if beginning is None else 0
    for numbers in groups_by_length(prompts):
        rest = torch.tensor([list(prompts[number][shared:]) for number in numbers], device=model.device)
        rows = torch.tensor(numbers, device=model.device)
        loop = _Loop(model, prefix, rows, max_new_tokens, stop, choose, observe, generated)
        n_different = len({tuple(prompts[number]) for number in numbers})
        n_read = rest.shape[1] + shared - prefix.n_positions
        size = rows_per_pass(model, n_read, prefix.n_positions + max_new_tokens, batch_size, len(numbers) / n_different)
        n_positions += sum(halve_on_oom(loop.over(rest), len(rest), n_read, size))
    return Answers(tuple(tuple(tokens) for tokens in generated), n_positions)


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """How many ids all prompts begin with; at least one id of each prompt is left out, to be read for its logits."""
    first, last = min(prompts, key=list), max(prompts, key=list)
    # Sorted, the first and the last differ earliest.
    shared = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return min(shared, min(len(prompt) for prompt in prompts) - 1)


def groups_by_length(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Numbers of the prompts, those of one length together, shortest first."""
    groups: dict[int, list[int]] = {}
    for number, prompt in enumerate(prompts):
        groups.setdefault(len(prompt), []).append(number)
    return [groups[length] for length in sorted(groups)]


class _Loop:
    """Decodes one batch after another of one group; `generated` collects the answers by number of the prompt."""

    def __init__(
        self,
        model: CausalModel,
        prefix: Prefix,
        numbers: Int[Tensor, " group"],
        max_new_tokens: int,
        stop: Stop | None,
        choose: Choose,
        observe: Observe | None,
        generated: list[list[int]],
    ) -> None:
        self._model, self._prefix, self._numbers = model, prefix, numbers
        self._max_new_tokens, self._stop = max_new_tokens, stop
        self._choose, self._observe, self._generated = choose, observe, generated
        self._done = 0

    def over(self, rest: Int[Tensor, "batch pos"]) -> Callable[[slice], int]:
        """`run` for slices of the group's rows, taken in order."""
        return lambda rows: self.run(rest[rows])

    def run(self, rest: Int[Tensor, "batch pos"]) -> int:
        """Answer the next rows of the group; returns the positions read. Run again from the same rows if it fails."""
        rows = self._numbers[self._done : self._done + len(rest)]
        for number in rows.tolist():
            self._generated[number].clear()
        if self._stop is not None:
            self._stop.reset(rows)
        different, places = rest.unique(dim=0, return_inverse=True)
        flow = self._model.begin(self._prefix, different if len(different) < len(rest) else rest, self._max_new_tokens)
        logits, active = flow.logits, torch.ones_like(rows, dtype=torch.bool)
        if len(different) < len(rest):
            # Prompts answered several times are read once.
            flow.keep(places)
            logits = logits[places]
        for step in range(self._max_new_tokens):
            if self._observe is not None:
                self._observe(rows, logits, step)
            tokens = self._choose(rows, logits, step)
            active &= ~self._record(rows, tokens, active)
            n_active = int(active.sum())
            if n_active == 0 or step == self._max_new_tokens - 1:
                break
            if n_active <= (1 - _WORTH_DROPPING) * len(rows):
                kept = active.nonzero()[:, 0]
                flow.keep(kept)
                rows, tokens, active = rows[kept], tokens[kept], active[kept]
            logits = flow.step(tokens)
        self._done += len(rest)
        return flow.n_positions

    def _record(
        self, rows: Int[Tensor, " batch"], tokens: Int[Tensor, " batch"], active: Bool[Tensor, " batch"]
    ) -> Bool[Tensor, " batch"]:
        """Keep the tokens of the rows that have not ended; returns which of all rows have ended now."""
        ended = torch.zeros_like(active) if self._stop is None else self._stop.update(rows, tokens)
        for number, token, is_active in zip(rows.tolist(), tokens.tolist(), active.tolist(), strict=True):
            if is_active:
                self._generated[number].append(token)
        return ended


def observed_logprobs(targets: Int[Tensor, " prompt"], n_steps: int) -> tuple[Observe, Float[Tensor, "prompt step"]]:
    """An observer that notes the log-prob of each prompt's target at each step, and where it notes it (nats)."""
    found = torch.full((len(targets), n_steps), float("-inf"), device=targets.device)

    def observe(rows: Tensor, logits: Tensor, step: int) -> None:
        wide = logits.float()
        target = wide.gather(1, targets[rows][:, None])[:, 0]
        found[rows, step] = target - wide.logsumexp(dim=-1)

    return observe, found
