"""One pass of the model with some of it changed, and what is read of it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from experiments.where_it_breaks.interventions import Half, Heads, Intervention, Rows, Whose
from experiments.where_it_breaks.rows import End
from harness.errors import RunFailed
from harness.glitch.copying.draws import Pairs
from harness.measure.heads import Head
from harness.measure.logprobs import prediction_statistics
from harness.models.activations.ablation import without_head
from harness.models.activations.patterns import head_output_hooks, pattern_hooks
from harness.models.loaded import LoadedModel

EMBED, FINAL = "hook_embed", "unembed.hook_in"

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Abilities:
    """Which changes take effect in this model: some architectures have hooks that nothing reads."""

    patterns: Mapping[int, str]
    """Hook of each layer whose attention can be replaced; empty where that does nothing."""
    outputs: Mapping[int, str]
    """The same for heads' outputs."""
    residual: tuple[str, ...]
    """Hook of the residual stream before each layer, and after the last one; empty where there are none."""
    input: bool
    """Whether the embedding's output can be replaced."""
    input_scale: float | None
    """The embedding's output over its rows; None where it is no multiple of them."""
    state: bool
    """Whether what the unembedding reads can be had."""
    writes_linearly: bool
    """Whether logits are the final state times the unembedding, plus a constant for each token."""


@dataclass(frozen=True)
class Chosen:
    """Heads that are patched."""

    previous: tuple[Head, ...] = ()
    induction: tuple[Head, ...] = ()

    def of(self, heads: Heads) -> dict[int, list[int]]:
        """Layer -> heads."""
        found: dict[int, list[int]] = {}
        for head in self.previous if heads is Heads.PREVIOUS else self.induction:
            found.setdefault(head.layer, []).append(head.head)
        return found


@dataclass(frozen=True, eq=False)
class Sequences:
    """Pairs of halves as the model gets them: each after itself, then each after its pair's other one."""

    tokens: Int[Tensor, "row pos"]
    targets: Int[Tensor, "half place"]
    foils: Int[Tensor, "half foil"]
    """Tokens of the same kind that did not occur: those asked in the pair's other half, in turn."""
    studied: Bool[Tensor, "row pos"]
    """Where tokens under study stand, or who stands in for them."""
    ids: Int[np.ndarray, " token"]
    """Tokens under study, or who stands in for them, in one order for all."""
    of_pool: bool
    """Whether they are tokens under study."""
    reads: tuple[int, ...]
    """Positions that predict the places."""
    places: tuple[int, ...]
    """Of the second half's tokens at the places."""
    first: int
    seq_len: int

    @classmethod
    def of(cls, pairs: Pairs, ids: Int[np.ndarray, " token"], of_pool: bool, bos_id: int | None) -> "Sequences":
        """From halves, whole pairs of them."""
        own = torch.from_numpy(pairs.halves)
        n, seq_len = own.shape
        swapped = torch.arange(n) ^ 1
        tokens = torch.cat([torch.cat([own, own], dim=1), torch.cat([own[swapped], own], dim=1)])
        first = int(bos_id is not None)
        if bos_id is not None:
            tokens = torch.cat([torch.full((2 * n, 1), bos_id), tokens], dim=1)
        places = tuple((first + seq_len + pairs.places).tolist())
        studied = torch.isin(tokens, torch.from_numpy(ids))
        foils, targets = torch.from_numpy(_foils(pairs)), torch.from_numpy(pairs.targets)
        reads = tuple(place - 1 for place in places)
        return cls(tokens, targets, foils, studied, ids, of_pool, reads, places, first, seq_len)

    def positions(self, half: Half) -> slice:
        """Of one half."""
        start = self.first + (self.seq_len if half is Half.SECOND else 0)
        return slice(start, start + self.seq_len)


@dataclass(frozen=True, eq=False)
class Pass:
    """What is kept of one pass."""

    sequences: Sequences
    logits: Float[Tensor, "row place d_vocab"]
    state: Float[Tensor, "row place d_model"] | None
    """What the unembedding reads."""
    kept: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Read:
    """Of every place, asked or not."""

    identity: Float[np.ndarray, "half place"]
    """By how much more its logit rises than those of its foils (mean), after its own first half over the other one."""
    copy_effect: Float[np.ndarray, "half place"]
    """Log-prob after its own first half minus after the other one (nats): foils may rise as much."""
    logprob: Float[np.ndarray, "half place"]
    """After its own first half."""
    copied: Bool[np.ndarray, "half place"]
    """Whether the column read is the only likeliest there."""


def run_pass(
    model: LoadedModel, sequences: Sequences, edits: Mapping[str, Edit], keep: Sequence[str] = (), state: bool = False
) -> Pass:
    """Run; keep whole activations of some hooks. Raises `RunFailed` for one that never fires."""
    kept: dict[str, Tensor] = {}

    def reader(name: str) -> Callable[[Tensor], None]:
        def read(activation: Tensor) -> None:
            kept[name] = activation[:, list(sequences.reads)].clone() if name == FINAL else activation.clone()

        return read

    wanted = (*keep, *((FINAL,) if state else ()))
    logits = model.forward(sequences.tokens, {name: reader(name) for name in wanted}, edits)
    missing = [name for name in wanted if name not in kept]
    if missing:
        raise RunFailed(f"hook {missing[0]!r} exists but never fires in this architecture")
    final = kept.pop(FINAL, None)
    return Pass(sequences, logits[:, list(sequences.reads)].clone(), final, kept)


def read(logits: Float[Tensor, "row place d_vocab"], sequences: Sequences) -> Read:
    """How well the targets of some sequences are expected. Raises `RunFailed` where logits are no numbers."""
    targets = sequences.targets
    n, n_places = targets.shape
    after_own, after_other = (prediction_statistics(part, targets) for part in (logits[:n], logits[n:]))
    columns = torch.cat([targets[..., None], sequences.foils[:, None].expand(-1, n_places, -1)], dim=2)
    found = logits.gather(2, columns.repeat(2, 1, 1).to(logits.device)).float()
    above = found[..., 0] - found[..., 1:].mean(dim=2)
    return Read(
        (above[:n] - above[n:]).cpu().numpy(),
        (after_own.logprob - after_other.logprob).float().cpu().numpy(),
        after_own.logprob.float().cpu().numpy(),
        after_own.correct.cpu().numpy(),
    )


@dataclass(frozen=True, eq=False)
class Bench:
    """A model with everything that interventions on one pool need."""

    model: LoadedModel
    abilities: Abilities
    chosen: Chosen
    input: End
    output: End

    def applies(self, one: Intervention) -> bool:
        """Whether the model lets itself be changed so."""
        if one.patterns is not None and not self.abilities.patterns:
            return False
        if one.outputs is not None and not (self.abilities.outputs and self.abilities.patterns):
            return False
        if one.residual is not None and not self.abilities.residual:
            return False
        if one.input is not None and not self.abilities.input:
            return False
        if one.input not in (None, Rows.PARTNERS) and self.abilities.input_scale is None:
            return False
        if one.output is not None and not self.abilities.writes_linearly:
            return False
        return not (Rows.RANDOM in (one.input, one.output) and not self.model.is_tied)

    def base(self, sequences: Sequences, layers: Sequence[int] = ()) -> Pass:
        """An unchanged pass with all that another one may take from it. `layers`: of the residual stream."""
        keep = [EMBED] if self.abilities.input else []
        keep += [*self.abilities.patterns.values(), *(self.abilities.residual[layer] for layer in layers)]
        if self.abilities.outputs and self.abilities.patterns:
            wanted = {layer for heads in (Heads.PREVIOUS, Heads.INDUCTION) for layer in self.chosen.of(heads)}
            keep += [self.abilities.outputs[layer] for layer in sorted(wanted)]
        return run_pass(self.model, sequences, {}, keep, self.abilities.state)

    def read_without(self, heads: Heads, whole: Pass, means: Mapping[int, Tensor] | None) -> Read:
        """What is read where some heads write their mean (`means`: by layer) or, with None, what they write after the
        other first half: in place of what they write after a half's own."""
        edits: dict[str, Edit] = {}
        n = len(whole.sequences.targets)
        for layer, some in self.chosen.of(heads).items():
            name = self.abilities.outputs[layer]
            if means is None:
                after_other = whole.kept[name][n:]
                edits[name] = _taking_at(torch.cat([after_other, after_other]), (slice(None), slice(None), some))
            else:
                edits[name] = _all_of([without_head(head, means[layer]) for head in some])
        return read(run_pass(self.model, whole.sequences, edits).logits, whole.sequences)

    def read_lens(self, whole: Pass, layer: int) -> Read:
        """What is read where the residual stream before a layer goes straight to the final norm: the logit lens."""
        stream, last = whole.kept[self.abilities.residual[layer]], self.abilities.residual[-1]
        return read(run_pass(self.model, whole.sequences, {last: _taking(stream)}).logits, whole.sequences)

    def read_changed(self, one: Intervention, own: Pass, other: Pass) -> Read:
        """What is read where `own` is changed as `one` says, `other` being its partner."""
        changed, donor = (own, other) if one.tokens is Whose.OWN else (other, own)
        logits, state = changed.logits, changed.state
        edits = self._edits(one, changed.sequences, donor)
        if edits:
            found = run_pass(self.model, changed.sequences, edits, state=one.output is not None)
            logits, state = found.logits, found.state
        if one.output is not None:
            logits = self._written(one.output, logits, state, changed.sequences)
        return read(logits, (own if one.column is Whose.OWN else other).sequences)

    def state_changed(self, one: Intervention, own: Pass, other: Pass) -> Tensor | None:
        """The final state where the input is changed as `one` says; None where states can't be had."""
        if not self.abilities.state:
            return None
        return run_pass(self.model, own.sequences, self._edits(one, own.sequences, other), state=True).state

    def _edits(self, one: Intervention, sequences: Sequences, donor: Pass) -> dict[str, Edit]:
        edits: dict[str, Edit] = {}
        if one.input is not None:
            edits[EMBED] = self._input_edit(one.input, sequences, donor)
        if one.patterns is not None:
            edits |= self._head_edits(one.patterns, self.abilities.patterns, donor, axis=1)
        if one.outputs is not None:
            edits |= self._head_edits(one.outputs, self.abilities.outputs, donor, axis=2)
        if one.residual is not None:
            layer, half = one.residual
            name, positions = self.abilities.residual[layer], sequences.positions(half)
            edits[name] = lambda stream: _at(stream, donor.kept[name], (slice(None), positions))
        return edits

    def _head_edits(self, heads: Heads, hooks: Mapping[int, str], donor: Pass, axis: int) -> dict[str, Edit]:
        if heads is Heads.ALL:
            return {name: _taking(donor.kept[name]) for name in hooks.values()}
        before = (slice(None),) * axis
        return {
            hooks[layer]: _taking_at(donor.kept[hooks[layer]], (*before, some))
            for layer, some in self.chosen.of(heads).items()
        }

    def _input_edit(self, kind: Rows, sequences: Sequences, donor: Pass) -> Edit:
        where = sequences.studied
        if kind is Rows.PARTNERS:
            return _taking_at(donor.kept[EMBED], (where.to(donor.kept[EMBED].device),))
        if kind is Rows.NO_DIRECTION:
            direction = self.input.direction
            return lambda rows: rows - ((rows.float() @ direction)[..., None] * direction).to(rows)
        order = np.argsort(sequences.ids)
        new = self.input.changed(kind, sequences.ids, sequences.of_pool) * (self.abilities.input_scale or 1.0)
        number = torch.from_numpy(order[np.searchsorted(sequences.ids[order], sequences.tokens[where].numpy())])
        at, rows = where.to(new.device), new[number.to(new.device)]

        def change(activation: Tensor) -> Tensor:
            found = activation.clone()
            found[at] = rows.to(found)
            return found

        return change

    def _written(
        self, kind: Rows, logits: Float[Tensor, "row place d_vocab"], state: Tensor | None, sequences: Sequences
    ) -> Float[Tensor, "row place d_vocab"]:
        """Logits with rows of the unembedding changed; the constant for each token stays."""
        if state is None:
            raise RunFailed("the final state was not kept")
        x = state.float()
        if kind is Rows.NO_DIRECTION:
            direction = self.output.direction
            along = self.output.matrix @ direction.to(self.output.matrix)
            return logits.float() - (x @ direction)[..., None] * along.float()
        new, old = self.output.changed(kind, sequences.ids, sequences.of_pool), self.output.rows(sequences.ids)
        found = logits.float().clone()
        found[..., torch.from_numpy(sequences.ids).to(found.device)] += x @ (new - old).T
        return found


def _foils(pairs: Pairs) -> Int[np.ndarray, "half foil"]:
    """For a half whose pair's other one asks nothing: the tokens at the same places there."""
    found = []
    for row in np.arange(len(pairs.halves)) ^ 1:
        asked = pairs.asked[row]
        found.append(pairs.targets[row][asked] if asked.any() else pairs.targets[row])
    # Repeated in turn, as many times as fit: with one or two of a dozen counted twice, a mean stays a mean of them.
    return np.stack([np.resize(one, len(pairs.places)) for one in found])


def _at(activation: Tensor, donor: Tensor, where: tuple[object, ...]) -> Tensor:
    found = activation.clone()
    found[where] = donor[where]  # type: ignore[index]
    return found


def _taking(donor: Tensor) -> Edit:
    return lambda _: donor.clone()


def _taking_at(donor: Tensor, where: tuple[object, ...]) -> Edit:
    return lambda activation: _at(activation, donor, where)


def _all_of(edits: Sequence[Edit]) -> Edit:
    def change(activation: Tensor) -> Tensor:
        for edit in edits:
            activation = edit(activation)
        return activation

    return change


def find_abilities(model: LoadedModel, sequences: Sequences) -> Abilities:
    """Try what can be changed: a hook that exists and does nothing counts as none."""
    names = set(model.hook_names)
    patterns, outputs = pattern_hooks(model), head_output_hooks(model)
    residual = [f"blocks.{layer}.hook_resid_pre" for layer in range(model.n_layers)]
    residual.append(f"blocks.{model.n_layers - 1}.hook_resid_post")
    plain = run_pass(model, sequences, {}, [EMBED] if EMBED in names else [], FINAL in names)

    def acts(hook: str) -> bool:
        # TransformerLens warns of edits that it discards; here that is the answer.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = run_pass(model, sequences, {hook: torch.zeros_like})
        return not torch.equal(found.logits, plain.logits)

    act_on_patterns, act_on_outputs = (
        hooks if hooks and all(acts(name) for name in hooks.values()) else {} for hooks in (patterns, outputs)
    )
    # Heads' outputs mean something only where each layer's patterns are known.
    return Abilities(
        act_on_patterns,
        act_on_outputs if set(act_on_patterns) <= set(act_on_outputs) else {},
        tuple(residual) if names.issuperset(residual) and acts(residual[0]) else (),
        EMBED in names and acts(EMBED),
        _input_scale(model, plain),
        FINAL in names,
        _writes_linearly(model, plain),
    )


def _tolerance(model: LoadedModel) -> float:
    return 1e-3 if model.dtype in (torch.float32, torch.float64) else 0.05


def _input_scale(model: LoadedModel, plain: Pass) -> float | None:
    if EMBED not in plain.kept:
        return None
    found = plain.kept[EMBED].float()
    rows = model.embedding()[plain.sequences.tokens.to(model.embedding().device)].float().to(found.device)
    if rows.shape != found.shape:
        return None
    scale = float((rows * found).sum() / (rows * rows).sum())
    return scale if float((found - scale * rows).abs().max()) <= _tolerance(model) * float(found.abs().max()) else None


def _writes_linearly(model: LoadedModel, plain: Pass) -> bool:
    if plain.state is None:
        return False
    matrix = model.unembedding()
    if plain.state.shape[-1] != matrix.shape[1] or plain.logits.shape[-1] != len(matrix):
        return False
    # The constant is the same everywhere: it leaves with the first position.
    left = plain.logits.float() - (plain.state.to(matrix) @ matrix.T).float()
    spread = plain.logits.float().abs().max()
    return bool((left - left[:1, :1]).abs().max() <= _tolerance(model) * spread)
