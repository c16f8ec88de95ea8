"""What an organism can do: copying, induction heads, tasks on tokens held out of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from harness.measure.intervals import Interval, wilson_clustered
from harness.tokens.prompts import TEMPLATES, Encode, Task, build_prompt, expected_answer

MAX_NEW_TOKENS = {Task.SPELLING: 36, Task.LENGTH: 6}
ECHO_NEW_TOKENS = 10
VERIFICATION_NEW_TOKENS = 3
_FORWARD_TOKENS = 16_384


@dataclass(frozen=True)
class CopyProbe:
    """Copying of [BOS] half half, means over all sequences. `cued` leaves out the second half's first position, which
    nothing announces. Log-probs in nats; `accuracy` has its interval over tokens."""

    n_sequences: int
    accuracy: Interval
    logprob_first_half: float
    logprob_second_half_cued: float
    induction_scores: Float[np.ndarray, "layer head"] | None

    @property
    def copy_accuracy_cued(self) -> float:
        """Share of the second half (cued) that is predicted right."""
        return self.accuracy.mean

    @property
    def copy_gain_cued(self) -> float:
        """Mean log-prob of the second half (cued) minus that of the first."""
        return self.logprob_second_half_cued - self.logprob_first_half


def draw_repeated(
    pool: Sequence[int], seq_len: int, n_sequences: int, bos: int, seed: int
) -> Int[np.ndarray, "batch pos"]:
    """[BOS] half half, ids without replacement within a half where the pool is large enough; `seed` varies them."""
    rng = np.random.default_rng([seed, 50])
    halves = np.stack([rng.choice(pool, size=seq_len, replace=len(pool) < seq_len) for _ in range(n_sequences)])
    return np.concatenate([np.full((n_sequences, 1), bos), halves, halves], axis=1).astype(np.int64)


def probe_copying(
    model: PreTrainedModel,
    pool: Sequence[int],
    bos: int,
    seq_len: int = 25,
    n_sequences: int = 32,
    seed: int = 0,
    with_heads: bool = False,
) -> CopyProbe:
    """Copying over `pool`. `with_heads` needs a model loaded with eager attention."""

    tokens = torch.from_numpy(draw_repeated(pool, seq_len, n_sequences, bos, seed))
    with torch.inference_mode():
        out = model(tokens, output_attentions=with_heads)
    logprobs = torch.log_softmax(out.logits[:, :-1].float(), dim=-1)
    target = logprobs.gather(-1, tokens[:, 1:, None])[..., 0]
    correct = (logprobs.argmax(-1) == tokens[:, 1:]).float()
    # Position p of `target` is the prediction of token p + 1: the halves are 0..seq_len-1 and seq_len..2 seq_len-1.
    return CopyProbe(
        n_sequences,
        _over_tokens(correct[:, seq_len + 1 :].numpy(), tokens[:, seq_len + 2 :].numpy()),
        target[:, :seq_len].mean().item(),
        target[:, seq_len + 1 :].mean().item(),
        _induction_scores(out.attentions, seq_len) if with_heads else None,
    )


def _over_tokens(correct: Float[np.ndarray, "batch pos"], tokens: Int[np.ndarray, "batch pos"]) -> Interval:
    """The share of right predictions; tokens, not positions, are the independent trials."""
    ids, where = np.unique(tokens, return_inverse=True)
    shares = np.bincount(where.reshape(-1), correct.reshape(-1)) / np.bincount(where.reshape(-1))
    interval = wilson_clustered(shares, max(1, correct.size // len(ids)))
    return replace(interval, mean=float(correct.mean()))


def _induction_scores(attentions: Sequence[Tensor], seq_len: int) -> np.ndarray:

    queries = torch.arange(seq_len + 1, 2 * seq_len + 1)
    return np.stack([layer[:, :, queries, queries - seq_len + 1].mean((0, 2)).numpy() for layer in attentions])


@dataclass(frozen=True)
class PassRate:
    """How many of `n` tokens a task was passed for."""

    passed: int
    n: int

    @property
    def rate(self) -> float:
        """Share passed, NaN for none tested."""
        return self.passed / self.n if self.n else float("nan")


def probe_task(
    model: PreTrainedModel,
    task: Task,
    ids: Sequence[int],
    texts: Sequence[str],
    encode: Encode,
    decode: Callable[[Sequence[int]], str],
    bos: int,
) -> PassRate:
    """Greedy answers to one task: spelling and length must be right to the letter, the others must say the token's id.

    `texts[id]` is the text of an id. Tokens without an answer to the task are left out;
    none is tested where prompt and answer do not fit the context.
    """
    prompted = [i for i in ids if expected_answer(task, texts[i]) is not None or task not in MAX_NEW_TOKENS]
    if not prompted:
        return PassRate(0, 0)
    echo = VERIFICATION_NEW_TOKENS if task.value.startswith("magikarp") else ECHO_NEW_TOKENS
    prompts = np.asarray([[bos, *build_prompt(TEMPLATES[task], i, encode)] for i in prompted], dtype=np.int64)
    n_new = MAX_NEW_TOKENS.get(task, echo)
    if prompts.shape[1] + n_new > model.config.max_position_embeddings:
        return PassRate(0, 0)
    answers = greedy(model, prompts, n_new)
    if task in MAX_NEW_TOKENS:
        answers_given = [decode(answer.tolist()).split("\n")[0].strip() for answer in answers]
        return PassRate(
            sum(s == expected_answer(task, texts[i]) for s, i in zip(answers_given, prompted, strict=True)),
            len(prompted),
        )
    return PassRate(sum(i in answer for i, answer in zip(prompted, answers.tolist(), strict=True)), len(prompted))


def greedy(model: PreTrainedModel, prompts: Int[np.ndarray, "batch pos"], n_new: int) -> Int[np.ndarray, "batch new"]:
    """The `n_new` likeliest next tokens, one by one; prompts are of one length, so nothing is padded."""

    size = max(1, _FORWARD_TOKENS // prompts.shape[1])
    answers = []
    for chunk in torch.from_numpy(prompts).split(size):
        past, tokens, new = None, chunk, []
        with torch.inference_mode():
            for _ in range(n_new):
                out = model(tokens, past_key_values=past, use_cache=True, logits_to_keep=1)
                past, tokens = out.past_key_values, out.logits[:, -1:].argmax(-1)
                new.append(tokens)
        answers.append(torch.cat(new, dim=1).numpy())
    return np.concatenate(answers)
