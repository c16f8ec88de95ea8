"""GlitchProber's repair: activations are changed while the model answers (Zhang et al. 2024, arXiv 2408.04905).

The paper leaves much open, and readings of it differ two- to eight-fold. The one taken here is that of its released
code (LLM-Integrity-Guard/GlitchProber, read at luminescent233/GlitchProber @4cde69c, `fix_glitch_token`): in key
layers, what goes into the MLP's non-linearity (the gate) and what the gate lets through (the data), each by itself,

- neurons above m for more than 99 % of well-known tokens are turned up: |value| + beta;
- neurons not above m for any of them are turned down where they are above m: value / alpha.

alpha and beta are one number for each of gate and data, from the differences between well-known and glitch tokens, at
the last position of the repetition prompt. Changes are made at the prompt's last position and at every token answered.
What is ours, since the code reads it from files of its own: neurons and differences are of well-known tokens and of
the fitting part of the glitch tokens; key layers are shares of the depth; an MLP without a gate has one quantity; what
was changed at an answered token is what later ones look back at. The code compares with 1 while it answers; here that
is m as well. Text that is scored as a whole is changed at every position.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from harness.glitch.census.questions import make_question
from harness.glitch.repair.choices import PROBER, Half, ProberSettings
from harness.glitch.repair.mending import Mending
from harness.glitch.repair.method import RepairMethod
from harness.glitch.repair.mlp_parts import find_mlp_parts
from harness.glitch.repair.patient import Patient
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.pass_size import rows_per_pass
from harness.models.answers.steered import Edit, Scope, steered
from harness.tokens.prompts import TEMPLATES, Task
from harness.tokens.prompts.rules import ChatRule

_MOST_BETA = 3.0
_ALPHA = (2.0, 5.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class ActivationMending(Mending):
    """Activations that are changed while the model runs: nothing to store."""

    edits: Mapping[object, Edit]
    """By module of the model that they were made for."""

    @contextmanager
    def on(self, model: CausalModel, scope: Scope) -> Iterator[CausalModel]:
        """The model with changed activations."""
        with steered(model, self.edits, scope) as changed:
            yield changed


@dataclass(frozen=True)
class GlitchProberRepair(RepairMethod):
    """One half of it, or both."""

    settings: ProberSettings
    half: Half

    @property
    def name(self) -> str:
        """With the half."""
        return f"{PROBER}_{self.half.value}"

    def obstacle(self, patient: Patient) -> str | None:
        """Its layers, its prompt, or nothing to learn from."""
        if not patient.fitting_ids:
            return "no glitch token is left to learn from"
        question = make_question(TEMPLATES[Task.GLITCHPROBER], patient.tokenizer, patient.facts, chat=ChatRule.NEVER)
        if not patient.ladder.fits(question):
            return "its prompt does not fit the window"
        if find_mlp_parts(patient.model.backend, self.settings.first_layer, self.settings.last_layer) is None:
            return "its MLPs are not found by the names that other architectures use"
        return None

    def mend(self, patient: Patient, ids: Sequence[int], rng: np.random.Generator) -> ActivationMending:  # noqa: ARG002
        """The same change for whatever tokens."""
        parts = find_mlp_parts(patient.model.backend, self.settings.first_layer, self.settings.last_layer)
        assert parts is not None, "see obstacle"
        known = rng.permutation(np.array(patient.well_known, dtype=np.int64))[: self.settings.n_normal].tolist()
        modules = [module for some in parts.quantities().values() for module in some]
        normal, n_first = _activations(patient, known, modules)
        glitch, n_second = _activations(patient, patient.fitting_ids, modules)
        edits: dict[object, Edit] = {}
        facts: dict[str, float | int | str] = {}
        done = 0
        for name, some in parts.quantities().items():
            own = slice(done, done + len(some))
            done += len(some)
            found = self._change(normal[own], glitch[own])
            edits |= dict(zip(some, found.edits(self.half), strict=True))
            facts |= {f"{name}/{key}": value for key, value in found.facts().items()}
        return ActivationMending(edits=edits, facts=facts, n_positions=n_first + n_second)

    def _change(self, normal: Sequence[Tensor], glitch: Sequence[Tensor]) -> "_Change":
        """[token neuron] of each layer, one quantity."""
        of, m = self.settings, self.settings.threshold
        up = [(layer > m).float().mean(0) > of.active_share for layer in normal]
        down = [(layer <= m).all(0) for layer in normal]
        pairs = [(one.mean(0), two.mean(0)) for one, two in zip(normal, glitch, strict=True)]
        rises = [float((one - two)[some].mean()) for (one, two), some in zip(pairs, up, strict=True) if some.any()]
        ratios = [float((two / one)[some].mean()) for (one, two), some in zip(pairs, down, strict=True) if some.any()]
        beta = of.boost_offset + of.boost_slope * float(np.mean(rises)) if rises else 0.0
        alpha = of.suppress_offset + of.suppress_slope * abs(float(np.mean(ratios))) if ratios else 1.0
        least, most = _ALPHA
        return _Change(
            tuple(up),
            tuple(down),
            min(_MOST_BETA, max(0.0, beta)),
            min(most, max(least, alpha)) if ratios else 1.0,
            m,
        )


@dataclass(frozen=True, eq=False)
class _Change:
    up: tuple[Bool[Tensor, " neuron"], ...]
    down: tuple[Bool[Tensor, " neuron"], ...]
    beta: float
    alpha: float
    threshold: float

    def edits(self, half: Half) -> Iterator[Edit]:
        """One a layer."""
        for up, down in zip(self.up, self.down, strict=True):
            yield self._edit(up, down, half)

    def _edit(self, up: Bool[Tensor, " neuron"], down: Bool[Tensor, " neuron"], half: Half) -> Edit:
        def edit(values: Tensor) -> Tensor:
            changed = values
            if half is not Half.BOOST:
                changed = torch.where(down & (values > self.threshold), values / self.alpha, changed)
            if half is not Half.SUPPRESS:
                changed = torch.where(up, values.abs() + self.beta, changed)
            return changed

        return edit

    def facts(self) -> dict[str, float | int | str]:
        """How many neurons, and by how much."""
        return {
            "turned_up": sum(int(one.sum()) for one in self.up),
            "turned_down": sum(int(one.sum()) for one in self.down),
            "neurons": sum(len(one) for one in self.up),
            "alpha": self.alpha,
            "beta": self.beta,
        }


def _activations(
    patient: Patient, ids: Sequence[int], modules: Sequence[object]
) -> tuple[list[Float[Tensor, "token neuron"]], int]:
    """What each module gives at the last position of GlitchProber's repetition prompt, and the positions read."""
    question = make_question(TEMPLATES[Task.GLITCHPROBER], patient.tokenizer, patient.facts, chat=ChatRule.NEVER)
    prompts = [question.prompt(token, patient.tokenizer) for token in ids]
    size = rows_per_pass(patient.model, len(prompts[0]), 0)
    seen: list[list[Tensor]] = [[] for _ in modules]

    def reader(place: int) -> Edit:
        def read(values: Tensor) -> Tensor:
            seen[place].append(values[:, -1].float().clone())
            return values

        return read

    with steered(patient.model, {one: reader(place) for place, one in enumerate(modules)}, Scope.TEXT) as model:
        for start in range(0, len(prompts), size):
            model.last_logits(torch.tensor(prompts[start : start + size], device=model.device))
    return [torch.cat(parts) for parts in seen], sum(map(len, prompts))
