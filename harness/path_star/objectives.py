"""What a model is trained on: each objective says what goes in, what is to come out, and which losses are added.

Every objective trains on the tokens of the answer only; the prompt carries no loss (unless an added loss says so).
"""

from abc import ABC
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2Block

from harness.path_star.either_end import write_from_end
from harness.path_star.recipe import ObjectiveName, ObjectiveSettings
from harness.path_star.scratchpad import with_scratchpad
from harness.path_star.unmasking import hide_nodes
from harness.training import attention

IGNORED = -100
"""Label of a position without loss (PyTorch's own convention)."""


@dataclass(frozen=True)
class Batch:
    """Rows of one step; `answer_at` marks the positions whose next token belongs to the answer."""

    tokens: Int[Tensor, "batch pos"]
    prompt_length: Int[Tensor, " batch"]
    length: Int[Tensor, " batch"]
    first_start: Int[Tensor, " batch"]
    """Where the answer's second node begins: the first step, which has to choose an arm."""
    first_stop: Int[Tensor, " batch"]

    @property
    def answer_at(self) -> Bool[Tensor, "batch pos"]:
        """True from the prompt's last token to the last but one of the answer."""
        at = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return (at >= self.prompt_length[:, None] - 1) & (at < self.length[:, None] - 1)

    @property
    def next_tokens(self) -> Int[Tensor, "batch pos"]:
        """The token behind every position; the last position's own, which nothing asks for."""
        return torch.cat([self.tokens[:, 1:], self.tokens[:, -1:]], dim=1)

    def answers_ahead(self, ahead: int) -> Bool[Tensor, "batch pos"]:
        """Where the token `ahead` places further belongs to the answer; the place itself may be the prompt's."""
        at = torch.arange(self.tokens.shape[1], device=self.tokens.device) + ahead
        return (at >= self.prompt_length[:, None]) & (at < self.length[:, None])

    def has_token(self, ahead: int) -> Bool[Tensor, "batch pos"]:
        """Where the token `ahead` places further still belongs to the row."""
        at = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return at + ahead < self.length[:, None]

    def tokens_ahead(self, ahead: int) -> Int[Tensor, "batch pos"]:
        """The token `ahead` places further; the row's last column where there is none."""
        at = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return self.tokens[:, (at + ahead).clamp(max=self.tokens.shape[1] - 1)]


@dataclass(frozen=True)
class Trunk:
    """What an added loss may read of the model."""

    hidden: Float[Tensor, "batch pos d_model"]
    """Before the unembedding."""
    embedding: nn.Embedding
    unembedding: nn.Linear


@dataclass(frozen=True)
class Sizes:
    """What an objective's own modules must fit."""

    d_model: int
    n_heads: int
    vocab_size: int
    dummy_id: int
    path_length: int
    first_sign: int
    """The first of the two signs that say from which end an answer is written, where there are such."""


class Objective(nn.Module, ABC):
    """Teacher forcing; the others change parts of it. Modules of an objective are trained with the model and left out
    of what is shipped."""

    def __init__(self, sizes: Sizes, settings: ObjectiveSettings) -> None:
        super().__init__()
        self.sizes, self.settings = sizes, settings

    def arrange(self, batch: Batch) -> tuple[Int[Tensor, "batch seen"], Int[Tensor, "batch seen"]]:
        """Inputs and labels; another length than the rows' where the answer is written in another way."""
        return self.inputs(batch), self.labels(batch)

    def inputs(self, batch: Batch) -> Int[Tensor, "batch pos"]:
        """What the model reads: prompt and true answer."""
        return batch.tokens

    def labels(self, batch: Batch) -> Int[Tensor, "batch pos"]:
        """What it is to say at every position, `IGNORED` where nothing."""
        return batch.next_tokens.masked_fill(~batch.answer_at, IGNORED)

    def added_loss(self, trunk: Trunk, batch: Batch) -> Float[Tensor, ""] | None:
        """A loss beside the cross-entropy of the labels, None where there is none."""
        del trunk, batch
        return None


class TeacherForcing(Objective):
    """Each token of the answer from all true ones before it: next-token training as usual."""


class Reversed(Objective):
    """Teacher forcing on rows whose answer is written from goal to start (arXiv 2403.06963)."""


class Teacherless(Objective):
    """No true token of the answer goes in: dummies stand there, in training and in use (arXiv 2403.06963)."""

    def inputs(self, batch: Batch) -> Int[Tensor, "batch pos"]:
        """Dummies in place of the answer."""
        return hide_answer(batch, self.sizes.dummy_id)


class MaskedTargets(Objective):
    """Teacher forcing with some of the answer's tokens hidden behind dummies (arXiv 2503.10542, token masking).

    A node whose predecessor is hidden has to be found from the goal. Masks are drawn anew for every step.
    """

    def inputs(self, batch: Batch) -> Int[Tensor, "batch pos"]:
        """Prompt and answer, the latter with dummies at random places."""
        device = batch.tokens.device
        if self.settings.mask_share is None:
            share = torch.rand(len(batch.tokens), 1, device=device)
        else:
            share = torch.full((len(batch.tokens), 1), self.settings.mask_share, device=device)
        drawn = torch.rand(batch.tokens.shape, device=device) < share
        return torch.where(drawn, hide_answer(batch, self.sizes.dummy_id), batch.tokens)


class EitherEnd(Objective):
    """The answer from start to goal or from goal to start, a sign before it says which; drawn anew for every row.

    In use the model writes both and keeps the likelier one, as masked diffusion begins where it is surest (that such
    models decode path-star graphs from the goal: arXiv 2602.19980). Nobody tells it which end is the easy one.
    """

    def arrange(self, batch: Batch) -> tuple[Int[Tensor, "batch seen"], Int[Tensor, "batch seen"]]:
        """Prompt, sign and nodes; the sign and every node but the last are asked for the next node."""
        prompt = int(batch.prompt_length[0])
        from_goal = torch.rand(len(batch.tokens), device=batch.tokens.device) < 0.5
        inputs = write_from_end(batch.tokens, prompt, from_goal, self.sizes.first_sign)
        labels = torch.full_like(inputs, IGNORED)
        labels[:, prompt:-1] = inputs[:, prompt + 1 :]
        return inputs, labels


class MaskedDiffusion(Objective):
    """Hidden nodes from those that are seen on either side, a share of them drawn anew for every row.

    Uniform-rate masking (arXiv 2406.05183, its MLM-U), which has an encoder and a decoder there; here a causal model
    reads the partly hidden answer and then says its hidden nodes.
    """

    def arrange(self, batch: Batch) -> tuple[Int[Tensor, "batch seen"], Int[Tensor, "batch seen"]]:
        """Prompt, partly hidden answer and a dummy for each node; asked for the hidden ones."""
        prompt, device = int(batch.prompt_length[0]), batch.tokens.device
        nodes = batch.tokens[:, prompt:]
        # Every number of hidden nodes is drawn as often, from one to all.
        order = torch.rand(nodes.shape, device=device).argsort(dim=1).argsort(dim=1)
        n_hidden = torch.randint(1, nodes.shape[1] + 1, (len(nodes), 1), device=device)
        hidden = order < n_hidden
        inputs = hide_nodes(batch.tokens, prompt, hidden, self.sizes.dummy_id)
        labels = torch.full_like(inputs, IGNORED)
        labels[:, -nodes.shape[1] :] = nodes.masked_fill(~hidden, IGNORED)
        return inputs, labels


class Scratchpad(Objective):
    """Teacher forcing on rows that write the path from goal to start before the answer (arXiv 2503.10542).

    Every node of the scratchpad follows from the one before it along an edge, backwards; the answer is its reverse.
    """

    def arrange(self, batch: Batch) -> tuple[Int[Tensor, "batch seen"], Int[Tensor, "batch seen"]]:
        """Prompt, scratchpad and answer; asked for every node of both."""
        prompt = int(batch.prompt_length[0])
        inputs = with_scratchpad(batch.tokens, prompt)
        labels = torch.full_like(inputs, IGNORED)
        labels[:, prompt - 1 : -1] = inputs[:, prompt:]
        return inputs, labels


class FirstOnly(Objective):
    """The loss of the first step alone: without the rest of the answer there is nothing to cheat with."""

    def labels(self, batch: Batch) -> Int[Tensor, "batch pos"]:
        """The answer's second node (its first is the start, which the prompt names)."""
        at = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
        chooses = (at >= batch.first_start[:, None] - 1) & (at < batch.first_stop[:, None] - 1)
        return super().labels(batch).masked_fill(~chooses, IGNORED)


class TokenOrder(Objective):
    """Beside the next token, the order in which later tokens appear, from one more unembedding (arXiv 2508.19228).

    A token's target is its closeness, `window - distance`, or minus infinity where it does not come; the loss is the
    cross-entropy between softmax(targets / order_temperature) and softmax(scores). It is asked wherever a token of the
    answer comes within the answer's length: of the question's last tokens, too, so that the goal itself is asked for
    the node before it.
    """

    def __init__(self, sizes: Sizes, settings: ObjectiveSettings) -> None:
        super().__init__(sizes, settings)
        self.order = nn.Linear(sizes.d_model, sizes.vocab_size, bias=False)
        nn.init.normal_(self.order.weight, std=0.02)

    def targets(self, batch: Batch) -> Float[Tensor, "batch pos d_vocab"]:
        """Closeness of every token at every position."""
        shape = (*batch.tokens.shape, self.sizes.vocab_size)
        window = batch.tokens.shape[1]
        closeness = torch.full(shape, float("-inf"), device=batch.tokens.device)
        # From far to near: the nearest occurrence of a token is written last.
        for ahead in range(self.window(batch), 0, -1):
            comes = batch.answers_ahead(ahead)[..., None]
            index = batch.tokens_ahead(ahead)[..., None]
            kept = torch.where(comes, float(window - ahead), closeness.gather(-1, index))
            closeness = closeness.scatter(-1, index, kept)
        return closeness

    def window(self, batch: Batch) -> int:
        """The farthest token looked for: the answer's last, seen from the prompt's last."""
        return int((batch.length - batch.prompt_length).max())

    def added_loss(self, trunk: Trunk, batch: Batch) -> Float[Tensor, ""]:
        """Mean over the positions before which some of the answer is still to come."""
        targets = self.targets(batch)
        at = torch.isfinite(targets).any(dim=-1)
        scores, targets = self.order(trunk.hidden[at]).float(), targets[at]
        loss = functional.cross_entropy(scores, (targets / self.settings.order_temperature).softmax(dim=-1))
        return self.settings.added_weight * loss


class MultiToken(Objective):
    """Beside the next token, those after it, each from a transformer block of its own (arXiv 2404.19737).

    The blocks read the same hidden states and share the unembedding. A token of the answer is asked for wherever it is
    so many places ahead, be that in the question.
    """

    def __init__(self, sizes: Sizes, settings: ObjectiveSettings) -> None:
        super().__init__(sizes, settings)
        n_more = max((settings.horizon or max(sizes.path_length - 2, 2)) - 1, 1)
        self.blocks = nn.ModuleList(_causal_blocks(sizes, n_more))
        self.norms = nn.ModuleList(nn.LayerNorm(sizes.d_model) for _ in self.blocks)

    def added_loss(self, trunk: Trunk, batch: Batch) -> Float[Tensor, ""]:
        """Sum over the further tokens of their mean cross-entropy over the answer's positions."""
        total = trunk.hidden.new_zeros((), dtype=torch.float32)
        for ahead, (block, norm) in enumerate(zip(self.blocks, self.norms, strict=True), start=2):
            at = batch.answers_ahead(ahead)
            if not bool(at.any()):
                continue
            hidden = norm(block(trunk.hidden))
            logits = trunk.unembedding(hidden[at]).float()
            total = total + functional.cross_entropy(logits, batch.tokens_ahead(ahead)[at])
        return self.settings.added_weight * total


def _causal_blocks(sizes: Sizes, n: int) -> list[nn.Module]:
    """GPT-2 blocks, whatever the trunk is."""

    config = GPT2Config(n_embd=sizes.d_model, n_head=sizes.n_heads, activation_function="relu", attn_pdrop=0.0,
                        resid_pdrop=0.0, embd_pdrop=0.0)  # fmt: skip
    # Rows are full to the left of every position that is asked: the plain causal attention needs no mask.
    config._attn_implementation = attention.register()
    blocks: list[nn.Module] = [GPT2Block(config, layer_idx=number) for number in range(n)]
    for block in blocks:
        for parameter in block.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
    return blocks


class NextLatent(Objective):
    """Beside the next token, the model's own next hidden state, from this one and the next token (arXiv 2511.05963).

    A small network steps from hidden state to hidden state, `horizon` times over. Each step is held to the true state
    by a smooth L1 distance, and to the true next-token distribution by its KL divergence through the unembedding; no
    gradient flows into what it is held to.
    """

    def __init__(self, sizes: Sizes, settings: ObjectiveSettings) -> None:
        super().__init__(sizes, settings)
        self.horizon = settings.horizon or max(sizes.path_length - 2, 1)
        width = sizes.d_model
        self.norm = nn.LayerNorm(2 * width)
        self.network = nn.Sequential(
            nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )

    def step(
        self, hidden: Float[Tensor, "batch pos d_model"], embedded: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"]:
        """The hidden state after one more token."""
        moved: Tensor = self.network(self.norm(torch.cat([hidden, embedded], dim=-1)))
        return hidden + moved

    def added_loss(self, trunk: Trunk, batch: Batch) -> Float[Tensor, ""]:
        """Mean over the steps; hidden states of the whole row, distributions of the answer's positions."""
        state = trunk.hidden
        truth = trunk.hidden.detach()
        weight = trunk.unembedding.weight.detach()
        bias = None if trunk.unembedding.bias is None else trunk.unembedding.bias.detach()
        logits = functional.linear(truth, weight, bias)
        total = trunk.hidden.new_zeros((), dtype=torch.float32)
        n_pos = state.shape[1]
        for ahead in range(1, self.horizon + 1):
            if ahead >= n_pos:
                break
            embedded = trunk.embedding(batch.tokens_ahead(ahead)[:, : n_pos - ahead])
            state = self.step(state[:, : n_pos - ahead], embedded)
            there, found = truth[:, ahead:], state
            known = batch.has_token(ahead)[:, : n_pos - ahead]
            total = total + functional.smooth_l1_loss(found[known].float(), there[known].float())
            at = batch.answer_at[:, ahead:] & known
            if bool(at.any()):
                wanted = logits[:, ahead:][at].float().log_softmax(dim=-1)
                said = functional.linear(found[at], weight, bias).float().log_softmax(dim=-1)
                total = total + functional.kl_div(said, wanted, log_target=True, reduction="batchmean")
        return self.settings.added_weight * total / self.horizon


def hide_answer(batch: Batch, dummy_id: int) -> Int[Tensor, "batch pos"]:
    """The prompt, and dummies where the answer stood."""
    at = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
    hidden = (at >= batch.prompt_length[:, None]) & (at < batch.length[:, None])
    return batch.tokens.masked_fill(hidden, dummy_id)


def make_objective(name: ObjectiveName, sizes: Sizes, settings: ObjectiveSettings) -> Objective:
    """The objective of that name, with its own modules at their initial weights."""
    return CLASSES[name](sizes, settings)


CLASSES: dict[ObjectiveName, type[Objective]] = {
    ObjectiveName.TEACHER_FORCING: TeacherForcing,
    ObjectiveName.TEACHERLESS: Teacherless,
    ObjectiveName.REVERSED: Reversed,
    ObjectiveName.FIRST_ONLY: FirstOnly,
    ObjectiveName.MULTI_TOKEN: MultiToken,
    ObjectiveName.TOKEN_ORDER: TokenOrder,
    ObjectiveName.NEXT_LATENT: NextLatent,
    ObjectiveName.MASKED_TARGETS: MaskedTargets,
    ObjectiveName.EITHER_END: EitherEnd,
    ObjectiveName.MASKED_DIFFUSION: MaskedDiffusion,
    ObjectiveName.SCRATCHPAD: Scratchpad,
}
