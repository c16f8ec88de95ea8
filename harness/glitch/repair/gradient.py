"""Gradient steps on the rows of the tokens alone, on generated copies: ours.

A sequence is a random half with some of the tokens and as many random healthy ones, each after a well-known companion,
and the same half again: the second one is to be predicted. Where echoes are among the fitting wordings, the token's own
echo prompts are shown as well. The loss is over all of a second half, so that a row learns when its token does not
come: beside well-known tokens alone it learns to be louder than all that are less well known. Adam on the rows, nothing
else changes; a tied model stays tied, one row a token for both ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from harness.glitch.census.wordings import Wording
from harness.glitch.copying.copier import N_OWN, SEQ_LEN
from harness.glitch.copying.draws import draw_round
from harness.glitch.repair.choices import GRADIENT, GradientSettings, Start
from harness.glitch.repair.mending import RowMending
from harness.glitch.repair.method import RepairMethod
from harness.glitch.repair.patient import Patient
from harness.glitch.repair.random_rows import random_deviations
from harness.models.answers.replaced_rows import NewRows
from harness.models.answers.steered import Scope
from harness.models.answers.trained_rows import TrainedRows

_BACKWARD = 3
"""What a step costs beside a pass: a pass back takes about two passes."""
_CHOICE_STREAM = 4_000_000
"""Of the sequences that settings are chosen by."""


@dataclass(frozen=True)
class GradientRows(RepairMethod):
    """Of several learning rates and starts the best for the fitting half."""

    settings: GradientSettings
    name = GRADIENT

    def obstacle(self, patient: Patient) -> str | None:
        """No sequences can be made."""
        if patient.material is None:
            return "its vocabulary is too small for random sequences"
        return None

    def fitted(self, patient: Patient) -> "GradientRows":
        """With one learning rate and one start: those with which most fitting tokens pass the fitting wordings, in
        fresh sequences; the first among equals."""
        choices = list(product(self.settings.learning_rates, self.settings.starts))
        if len(choices) == 1 or not patient.fitting_ids or not patient.fitting:
            return self._with(*choices[0])
        passed = []
        for number, (rate, start) in enumerate(choices):
            mending = self._with(rate, start).mend(
                patient, patient.fitting_ids, np.random.default_rng([patient.seed, 1])
            )
            with mending.on(patient.model, Scope.TEXT) as model:
                ladder = patient.ladder.on(model)
                answers = [ladder.ask(one, patient.fitting_ids, _CHOICE_STREAM) for one in patient.fitting]
            passed.append((sum(int(one.passed.sum()) for one in answers), -number))
        return self._with(*choices[-max(passed)[1]])

    def mend(self, patient: Patient, ids: Sequence[int], rng: np.random.Generator) -> RowMending:
        """Train the rows of those tokens that can stand in a sequence."""
        assert patient.material is not None, "see obstacle"
        known = set(patient.material.bystanders.tolist())
        some = [token for token in ids if token in known]
        rate, start = self.settings.learning_rates[0], self.settings.starts[0]
        trained = TrainedRows(patient.model, _begin(patient, some, start, rng))
        scale = [float(one.norm / one.matrix.shape[1] ** 0.5) for one in patient.ends]
        groups = [{"params": [rows], "lr": rate * of} for rows, of in zip(trained.parameters, scale, strict=False)]
        optimizer = torch.optim.Adam(groups)
        n_positions = 0
        for _ in range(self.settings.n_rounds if some else 0):
            for part in _parts(some, self.settings.tokens_per_step, rng):
                optimizer.zero_grad()
                loss, n = _loss(trained, patient, part, rng)
                loss.backward()
                optimizer.step()
                n_positions += _BACKWARD * n
        return RowMending(
            rows=trained.new_rows() if some else NewRows((), None, None),
            n_positions=n_positions,
            facts={"learning_rate": rate, "start": start.value},
            left_out=tuple(sorted(set(ids) - set(some))),
        )

    def _with(self, rate: float, start: Start) -> "GradientRows":
        return replace(self, settings=replace(self.settings, learning_rates=(rate,), starts=(start,)))


def _begin(patient: Patient, ids: Sequence[int], start: Start, rng: np.random.Generator) -> NewRows:
    if start is Start.OWN:
        return NewRows(tuple(ids), None, None)
    seeds = rng.integers(2**32, size=2)
    first, last = (one.mean + random_deviations(one, len(ids), np.random.default_rng(seeds)) for one in patient.ends)
    return NewRows(tuple(ids), first, last)


def _parts(ids: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """All of them in a new order, at most `size` at a time, equally many up to one."""
    order = rng.permutation(np.asarray(ids, dtype=np.int64))
    for part in np.array_split(order, -(-len(order) // size)):
        yield part.tolist()


def _loss(
    trained: TrainedRows, patient: Patient, ids: Sequence[int], rng: np.random.Generator
) -> tuple[Float[Tensor, ""], int]:
    """Nats a predicted token, mean over kinds of sequence; and the positions read."""
    losses, n_positions = [], 0
    for tokens, n_predicted in (_copies(patient, ids, rng), *_echoes(patient, ids)):
        logits = trained.logits(tokens)[:, -n_predicted - 1 : -1]
        losses.append(
            torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, -n_predicted:].flatten())
        )
        n_positions += tokens.numel()
    return torch.stack(losses).mean(), n_positions


def _copies(patient: Patient, ids: Sequence[int], rng: np.random.Generator) -> tuple[Tensor, int]:
    """Halves that occur twice, and how many tokens at their end are to be predicted: not the second half's first one,
    which nothing announces."""
    assert patient.material is not None
    company = patient.material.without([*patient.suspects, *ids])
    pairs = draw_round(company, ids, N_OWN // 2, N_OWN, SEQ_LEN, rng)
    tokens = np.concatenate([pairs.halves, pairs.halves], axis=1)
    if patient.facts.bos_id is not None:
        tokens = np.concatenate([np.full((len(tokens), 1), patient.facts.bos_id), tokens], axis=1)
    return torch.from_numpy(tokens).to(patient.model.device), SEQ_LEN - 1


def _echoes(patient: Patient, ids: Sequence[int]) -> Iterator[tuple[Tensor, int]]:
    """The prompts of fitting wordings whose answer's place is known, with the answer."""
    for wording in patient.fitting:
        if wording.question is not None and wording.question.closing:
            yield _answered(wording, patient, ids), 1


def _answered(wording: Wording, patient: Patient, ids: Sequence[int]) -> Tensor:
    assert wording.question is not None
    rows = [[*wording.question.prompt(token, patient.tokenizer), token] for token in ids]
    return torch.tensor(rows, dtype=torch.long, device=patient.model.device)
