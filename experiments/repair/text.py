"""Running text, and how well a model predicts it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from experiments.repair.config import RepairConfig
from harness.errors import RunFailed
from harness.measure.logprobs import target_statistics
from harness.models.answers.causal_model import CausalModel
from harness.models.tokenizers import Tokenizer
from harness.organism.docstrings import held_out_docstrings
from harness.runs.context import Run

_CORPUS_SEED = 0
"""Which files an organism of the default recipe has not seen."""
_LONGEST = 192
"""Tokens of a document; longer ones are left out, so that a text is the same with whatever tokenizer."""


@dataclass(frozen=True, eq=False)
class Documents:
    """Texts, each read from its beginning."""

    texts: tuple[str, ...]
    source: str

    @property
    def words(self) -> Int[np.ndarray, " document"]:
        """What stands between spaces."""
        return np.array([len(text.split()) for text in self.texts], dtype=np.int64)

    @property
    def n_bytes(self) -> Int[np.ndarray, " document"]:
        """In UTF-8."""
        return np.array([len(text.encode()) for text in self.texts], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Scored:
    """How documents were predicted."""

    nats: Float[np.ndarray, " document"]
    """Sum over its tokens."""
    n_tokens: Int[np.ndarray, " document"]
    """Predicted: all of them after a BOS, all but the first without one."""
    n_ids: Int[np.ndarray, " document"]
    """All that the tokenizer makes of it."""


def choose_documents(run: Run[RepairConfig]) -> Documents:
    """Random documents, up to `exp.n_text_tokens`. Raises `RunFailed` where none fits the model."""
    exp = run.exp
    if exp.text is None:
        texts, source = (
            held_out_docstrings(_CORPUS_SEED),
            "docstrings of the standard library that no organism has seen",
        )
    else:
        texts, source = _paragraphs(exp.text), f"paragraphs of {exp.text.name}"
    longest = _LONGEST if run.facts.n_ctx is None else min(_LONGEST, run.facts.n_ctx // 2)
    chosen, n_tokens = [], 0
    for place in np.random.default_rng([run.seed, 13]).permutation(len(texts)).tolist():
        n = len(run.tokenizer.encode(texts[place]))
        if 2 <= n <= longest:
            chosen.append(texts[place])
            n_tokens += n
        if n_tokens >= exp.n_text_tokens:
            break
    if not chosen:
        raise RunFailed(f"exp.text: no document of 2 to {longest} tokens in {source}")
    return Documents(tuple(chosen), source)


def _paragraphs(path: Path) -> tuple[str, ...]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return tuple(dict.fromkeys(part.strip("\n") for part in text.split("\n\n") if part.strip()))


def score(model: CausalModel, tokenizer: Tokenizer, bos_id: int | None, documents: Documents) -> Scored:
    """Every document from its beginning, after a BOS where there is one; one at a time, since none is padded."""
    front = [] if bos_id is None else [bos_id]
    nats, n_tokens, n_ids = [], [], []
    for ids in tokenizer.encode_batch(documents.texts):
        tokens = torch.tensor([[*front, *ids]], dtype=torch.long)
        found = target_statistics(model.logits(tokens), tokens)
        nats.append(-float(found.logprob.double().sum()))
        n_tokens.append(found.logprob.shape[1])
        n_ids.append(len(ids))
    return Scored(np.array(nats), np.array(n_tokens, dtype=np.int64), np.array(n_ids, dtype=np.int64))
