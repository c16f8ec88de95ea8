"""A model made of rules, for which every number of repeat_one_token is known beforehand, and runs of it."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from experiments.repeat_one_token import measure as measuring
from experiments.repeat_one_token.config import RepeatOneTokenConfig
from harness.errors import RunFailed
from harness.models.loaded import NO_EDITS, NO_REDUCERS, LoadedModel, ModelStructure
from harness.models.vocab_facts import VocabFacts
from harness.runs._subject import Subject
from harness.runs.config.schema import RunConfig
from harness.runs.context import Outcome, Run
from harness.runs.folder import RunFolder, to_json
from harness.runs.results.stored_run import StoredRun
from harness.tokens.pools import resolve_pools

D_VOCAB, BOS, LENGTH, D_MODEL = 50, 49, 13, 4
N = LENGTH - 1
"""Copies."""
LOGIT = 5.0
SAID = LOGIT - math.log(math.exp(LOGIT) + D_VOCAB - 1)
UNIFORM = -math.log(D_VOCAB)
LAST = {0: 5, 1: 8, 2: 11, 3: 11}
"""Up to how many copies a token is said; all others below 20 are said to the end, none from 20 on is."""
SINKS_FROM = 4
"""From this copy on tokens 0 and 30 have a first token's norm."""


class OneTokenModel(LoadedModel):
    """Says the token below 20 that has stood twice in a row, up to `LAST` times in a row.

    In layers 0 and 3 head 0 looks at position 0, head 1 at position 1 (in layer 3 with half its weight) and head 2 at
    itself. Norms: 1 in layer 0; in layer 1 position 0 has 10, all others 1, but copies as `SINKS_FROM` says.
    """

    fingerprint, device, dtype = "rules", "cpu", torch.float32

    def __init__(
        self,
        has_heads: bool = True,
        has_residual: bool = True,
        first_norm: float = 10.0,
        sinks: tuple[int, ...] = (0, 30),
        is_born_sink: bool = False,
        fail_after: int | None = None,
    ) -> None:
        self.passes, self.seen = 0, []
        self.layers = (0, 3) if has_heads else ()
        self.has_residual, self.first_norm, self.sinks, self.is_born_sink = (
            has_residual,
            first_norm,
            sinks,
            is_born_sink,
        )
        self.fail_after = fail_after

    @property
    def structure(self) -> ModelStructure:
        names = [f"blocks.{layer}.attn.hook_pattern" for layer in self.layers]
        names += [f"blocks.{layer}.hook_resid_post" for layer in (0, 1) if self.has_residual]
        return ModelStructure((*names, "hook_embed"), 4, 3, D_MODEL, D_VOCAB, 64)

    def forward(
        self,
        tokens: torch.Tensor,
        reducers: Mapping[str, Callable[[torch.Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = NO_EDITS,
    ) -> torch.Tensor:
        if self.fail_after is not None and self.passes >= self.fail_after:
            raise RunFailed("killed")
        self.passes += 1
        self.seen.extend(tokens.tolist())
        for name, reducer in reducers.items():
            layer = int(name.split(".")[1])
            reducer(self._pattern(tokens, layer) if "pattern" in name else self._stream(tokens, layer))
        logits = torch.zeros(*tokens.shape, D_VOCAB)
        for row, sequence in enumerate(tokens.tolist()):
            for position, token in enumerate(sequence):
                if token < 20 and 2 <= copies_at(sequence, position) <= LAST.get(token, 99):
                    logits[row, position, token] = LOGIT
        return logits

    def embedding(self) -> torch.Tensor:
        raise NotImplementedError

    unembedding = embedding

    def close(self) -> None:
        pass

    def _pattern(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        n_pos = tokens.shape[1]
        pattern = torch.zeros(len(tokens), 3, n_pos, n_pos)
        pattern[:, 0, :, 0] = 1
        weight = 1.0 if layer == 0 else 0.5
        itself = torch.arange(n_pos)
        pattern[:, 1, itself, itself] = 1 - weight
        pattern[:, 1, 1:, 1] += weight
        pattern[:, 2, itself, itself] = 1
        return pattern

    def _stream(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        norm = torch.ones(tokens.shape)
        if layer == 1:
            for row, sequence in enumerate(tokens.tolist()):
                for position, token in enumerate(sequence):
                    is_late = copies_at(sequence, position) >= SINKS_FROM
                    if token in self.sinks and (is_late or self.is_born_sink):
                        norm[row, position] = self.first_norm
            norm[:, 0] = self.first_norm
        return norm[..., None].expand(*tokens.shape, D_MODEL) / math.sqrt(D_MODEL)


def copies_at(sequence: list[int], position: int) -> int:
    """How often in a row the token at a position has stood there."""
    start = position
    while start and sequence[start - 1] == sequence[position]:
        start -= 1
    return position - start + 1


def facts(bos_id: int | None = BOS, n_ctx: int | None = 64, roles: tuple[int, ...] = ()) -> VocabFacts:
    special = frozenset(roles) | (frozenset() if bos_id is None else frozenset({bos_id}))
    return VocabFacts("rules", D_VOCAB, n_ctx, None, (), special, bos_id, (), (), None, role_ids=frozenset(roles))


def run_in(
    folder: Path,
    model: OneTokenModel,
    seed: int = 0,
    about: VocabFacts | None = None,
    unused: str = "30:40",
    common: str = "0:10",
    **parameters: Any,
) -> tuple[Run, Outcome]:
    exp = RepeatOneTokenConfig(**{"length": LENGTH, **parameters})
    config = RunConfig(
        "repeat_one_token", exp, pools={"unused": unused, "common": common}, seed=seed, results_dir=folder
    )
    about = facts() if about is None else about
    run = Run(config, RunFolder(folder), Subject(None, about, resolve_pools(config.pools, about, seed), None))
    run._model = model
    return run, measuring.measure(run)


def stored_run(folder: Path, outcome: Outcome) -> StoredRun:
    """The answer as its tables and pictures read it."""
    (folder / "metrics.json").write_text(to_json(dict(outcome.metrics)))
    (folder / "details.json").write_text(to_json(dict(outcome.details)))
    (folder / "config.yaml").write_text("pools: {unused: '30:40', common: '0:10'}\n")
    (folder / "manifest.json").write_text("{}")
    stored = StoredRun(folder)
    vars(stored)["arrays"] = dict(outcome.arrays)
    return stored
