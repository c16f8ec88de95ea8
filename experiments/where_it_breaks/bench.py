"""A model with some of its activations changed: how every intervention is carried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from experiments.where_it_breaks.abilities import Abilities
from experiments.where_it_breaks.interventions import Heads, Intervention, Rows, Whose
from experiments.where_it_breaks.passes import EMBED, Edit, Pass, Read, Sequences, read, run_pass
from experiments.where_it_breaks.rows import End
from harness.errors import RunFailed
from harness.measure.heads import Head
from harness.models.activations.ablation import without_head
from harness.models.loaded import LoadedModel


@dataclass(frozen=True)
class Chosen:
    """Heads that are patched."""

    previous: tuple[Head, ...] = ()
    induction: tuple[Head, ...] = ()

    @property
    def all(self) -> tuple[Head, ...]:
        """Both kinds, each head once."""
        return tuple(dict.fromkeys((*self.previous, *self.induction)))

    @property
    def reached(self) -> tuple[int, ...]:
        """Layers of induction heads that a previous-token head of a layer before can reach."""
        first = min((head.layer for head in self.previous), default=None)
        return tuple(layer for layer in self.of(Heads.INDUCTION) if first is not None and layer > first)

    def of(self, heads: Heads) -> dict[int, list[int]]:
        """Layer -> heads."""
        found: dict[int, list[int]] = {}
        for head in self.previous if heads is Heads.PREVIOUS else self.induction:
            found.setdefault(head.layer, []).append(head.head)
        return found


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
        if one.is_path_to_keys and not self.has_path:
            return False
        if one.input is not None and not self.abilities.input:
            return False
        if one.input not in (None, Rows.PARTNERS) and self.abilities.input_scale is None:
            return False
        if one.output is not None and not self.abilities.writes_linearly:
            return False
        return not (Rows.RANDOM in (one.input, one.output) and not self.model.is_tied)

    @property
    def has_path(self) -> bool:
        """Whether keys of induction heads can be given what other outputs of previous-token heads would make them."""
        able = self.abilities
        return bool(able.parts is not None and able.patterns and able.keys and self.chosen.reached)

    def base(self, sequences: Sequences, layers: Sequence[int] = ()) -> Pass:
        """An unchanged pass with all that another one may take from it. `layers`: of the residual stream."""
        keep = [EMBED] if self.abilities.input else []
        keep += [*self.abilities.patterns.values(), *(self.abilities.residual[layer] for layer in layers)]
        if self.has_path:
            keep += [self.abilities.residual[layer] for layer in self.chosen.reached]
        if self.abilities.outputs and self.abilities.patterns:
            wanted = {layer for heads in (Heads.PREVIOUS, Heads.INDUCTION) for layer in self.chosen.of(heads)}
            keep += [self.abilities.outputs[layer] for layer in sorted(wanted)]
        return run_pass(self.model, sequences, {}, list(dict.fromkeys(keep)), self.abilities.state)

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

    def read_without_path(self, whole: Pass) -> Read:
        """What is read where keys of induction heads read what previous-token heads write after the other first half,
        in place of what they write after a half's own."""
        n = len(whole.sequences.targets)
        kept = {
            self.abilities.outputs[layer]: torch.cat([whole.kept[self.abilities.outputs[layer]][n:]] * 2)
            for layer in self.chosen.of(Heads.PREVIOUS)
        }
        edits = self.path_to_keys(whole, replace(whole, kept=kept))
        return read(run_pass(self.model, whole.sequences, edits).logits, whole.sequences)

    def read_lens(self, whole: Pass, layer: int) -> Read:
        """What is read where the residual stream before a layer goes straight to the final norm: the logit lens."""
        stream, last = whole.kept[self.abilities.residual[layer]], self.abilities.residual[-1]
        return read(run_pass(self.model, whole.sequences, {last: _taking(stream)}).logits, whole.sequences)

    def read_changed(self, one: Intervention, own: Pass, other: Pass) -> Read:
        """What is read where `own` is changed as `one` says, `other` being its partner."""
        changed, donor = (own, other) if one.tokens is Whose.OWN else (other, own)
        logits, state = changed.logits, changed.state
        edits = self._edits(one, changed, donor)
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
        return run_pass(self.model, own.sequences, self._edits(one, own, other), state=True).state

    def _edits(self, one: Intervention, changed: Pass, donor: Pass) -> dict[str, Edit]:
        edits: dict[str, Edit] = {}
        sequences = changed.sequences
        if one.input is not None:
            edits[EMBED] = self.input_edit(one.input, sequences, donor)
        if one.patterns is not None:
            edits |= self._head_edits(one.patterns, self.abilities.patterns, donor, axis=1)
        if one.outputs is not None:
            edits |= self._head_edits(one.outputs, self.abilities.outputs, donor, axis=2)
        if one.is_path_to_keys:
            edits |= self.path_to_keys(changed, donor)
        if one.residual is not None:
            layer, half = one.residual
            name, positions = self.abilities.residual[layer], sequences.positions(half)
            edits[name] = lambda stream: _at(stream, donor.kept[name], (slice(None), positions))
        return edits

    def path_to_keys(self, changed: Pass, donor: Pass) -> dict[str, Edit]:
        """Induction heads attend as with keys that read the donor's outputs of previous-token heads straight off the
        residual stream; their queries and values, and all other heads, stay as they are."""
        edits: dict[str, Edit] = {}
        for layer in self.chosen.reached:
            residual, keys = self.abilities.residual[layer], self.abilities.keys[layer]
            pattern = self.abilities.patterns[layer]
            stream = changed.kept[residual]
            for before, heads in self.chosen.of(Heads.PREVIOUS).items():
                if before < layer:
                    stream = stream + self._written_otherwise(before, heads, changed, donor).to(stream)
            # The layer itself makes keys of the stream, so its norm is not frozen; queries must not see it.
            made = run_pass(self.model, changed.sequences, {residual: _taking(stream)}, [keys]).kept[keys]
            seen = run_pass(self.model, changed.sequences, {keys: _taking(made)}, [pattern]).kept[pattern]
            edits[pattern] = _taking_at(seen, (slice(None), self.chosen.of(Heads.INDUCTION)[layer]))
        return edits

    def _written_otherwise(
        self, layer: int, heads: list[int], changed: Pass, donor: Pass
    ) -> Float[Tensor, "row pos d_model"]:
        """What some heads write in the donor's run beyond what they write in the changed one."""
        weights, name = self.model.head_output_weights(layer), self.abilities.outputs[layer]
        if weights is None:
            raise RunFailed(f"what heads of layer {layer} write is not known")
        difference = (donor.kept[name] - changed.kept[name])[:, :, heads]
        return torch.einsum("bphd,hdm->bpm", difference, weights[heads].to(difference))

    def _head_edits(self, heads: Heads, hooks: Mapping[int, str], donor: Pass, axis: int) -> dict[str, Edit]:
        if heads is Heads.ALL:
            return {name: _taking(donor.kept[name]) for name in hooks.values()}
        before = (slice(None),) * axis
        return {
            hooks[layer]: _taking_at(donor.kept[hooks[layer]], (*before, some))
            for layer, some in self.chosen.of(heads).items()
        }

    def input_edit(self, kind: Rows, sequences: Sequences, donor: Pass | None = None) -> Edit:
        """Changes what is read of the tokens under study; only `PARTNERS` needs the partner's run."""
        where = sequences.studied
        if kind is Rows.PARTNERS:
            if donor is None:
                raise ValueError("a partner's row is taken from its run")
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
