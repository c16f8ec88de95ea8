"""A model made of rules, for which every number of repeat_tokens is known beforehand, and runs of it."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from experiments.repeat_tokens import measure as measuring
from experiments.repeat_tokens.config import RepeatTokensConfig
from harness.errors import RunFailed
from harness.models.loaded import NO_EDITS, NO_REDUCERS, LoadedModel, ModelStructure
from harness.models.vocab_facts import VocabFacts
from harness.runs._subject import Subject
from harness.runs.config.schema import Reference, RunConfig
from harness.runs.context import Outcome, Run
from harness.runs.folder import RunFolder, to_json
from harness.runs.results.stored_run import StoredRun
from harness.tokens.pools import resolve_pools

D_VOCAB, SEQ_LEN, BOS = 50, 5, 49
LOGIT = 5.0
CERTAIN = LOGIT - math.log(math.exp(LOGIT) + D_VOCAB - 1)
UNIFORM = -math.log(D_VOCAB)
MISLED = -math.log(math.exp(LOGIT) + D_VOCAB - 1)
"""Where another token was announced."""


class RuleModel(LoadedModel):
    """Expects what followed the same token before, if that is below 20, and nothing else; heads do one thing each.

    Head 0.1 looks at the previous token, head 3.2 is an induction head for the ids that are copied and looks at the
    duplicate for others; the rest look at themselves. Layers 1 and 2 have no attention.
    """

    fingerprint, device, dtype = "rules", "cpu", torch.float32

    def __init__(self, has_bos: bool = True, has_heads: bool = True, fail_after: int | None = None) -> None:
        self.first = SEQ_LEN + int(has_bos)
        self.passes = 0
        self.seen: list[list[int]] = []
        self.fail_after = fail_after
        self.layers = (0, 3) if has_heads else ()

    @property
    def structure(self) -> ModelStructure:
        names = tuple(f"blocks.{layer}.attn.hook_pattern" for layer in self.layers)
        return ModelStructure((*names, "hook_embed"), 4, 3, 8, D_VOCAB, 64)

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
        n_pos = tokens.shape[1]
        for name, reducer in reducers.items():
            reducer(self._pattern(tokens, int(name.split(".")[1])))
        logits = torch.zeros(len(tokens), n_pos, D_VOCAB)
        for row, sequence in enumerate(tokens.tolist()):
            for position in range(1, n_pos):
                earlier = [place for place in range(position) if sequence[place] == sequence[position]]
                if earlier and sequence[earlier[-1] + 1] < 20:
                    logits[row, position, sequence[earlier[-1] + 1]] = LOGIT
        return logits

    def embedding(self) -> torch.Tensor:
        raise NotImplementedError

    unembedding = embedding

    def close(self) -> None:
        pass

    def _pattern(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        n_pos = tokens.shape[1]
        pattern = torch.eye(n_pos).repeat(len(tokens), 3, 1, 1)
        for row, sequence in enumerate(tokens.tolist()):
            for query in range(1, n_pos):
                back = {0: (1, 1)}.get(layer, (2, SEQ_LEN - 1 if sequence[query] < 20 else SEQ_LEN))
                head, key = back[0], max(query - back[1], 0)
                pattern[row, head, query] = 0
                pattern[row, head, query, key] = 1
        return pattern


def facts(bos_id: int | None = BOS, n_ctx: int | None = 64) -> VocabFacts:
    special = frozenset() if bos_id is None else frozenset({bos_id})
    return VocabFacts("rules", D_VOCAB, n_ctx, None, (), special, bos_id, (), (), None)


def run_in(
    folder: Path,
    model: RuleModel,
    seed: int = 0,
    bos_id: int | None = BOS,
    unused: str = "30:42",
    reference: Reference | None = None,
    **parameters: Any,
) -> tuple[Run, Outcome]:
    exp = RepeatTokensConfig(**{"seq_len": SEQ_LEN, "n_sequences": 6, "top_heads": 2, "own_share": 1.0, **parameters})
    config = RunConfig(
        "repeat_tokens", exp, pools={"unused": unused, "common": "0:20"}, seed=seed, results_dir=folder,
        reference=reference,
    )  # fmt: skip
    pools = resolve_pools(config.pools, facts(bos_id), seed)
    run = Run(config, RunFolder(folder), Subject(None, facts(bos_id), pools, None))
    run._model = model
    return run, measuring.measure(run)


def stored_run(folder: Path, outcome: Outcome, unused: str = "30:42") -> StoredRun:
    """The answer as its tables and pictures read it."""
    (folder / "metrics.json").write_text(to_json(dict(outcome.metrics)))
    (folder / "details.json").write_text(to_json(dict(outcome.details)))
    (folder / "config.yaml").write_text(f"pools: {{unused: '{unused}', common: '0:20'}}\n")
    (folder / "manifest.json").write_text("{}")
    return StoredRun(folder)
