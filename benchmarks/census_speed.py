"""Tokens per second through one prompt: one `generate` call per token, a bare batched forward, and the census engine.

    python benchmarks/census_speed.py [--tokens 256] [--one-by-one 6] [--dtypes float32 bfloat16] [--pocket]

The model has GPT-2 small's shape and random weights, the prompts 32 tokens, ten of them before the token under study.
Random weights never say the token: "census_all_ten_steps" is the engine's worst case. In "census" every verdict is
fixed at the second token, as when a model answers with a quotation mark and the token itself. `generate` and the bare
forward are transformers' own, on the model as it is loaded; the engine swaps in the fused GELU. With `--pocket` the
repetition task of the census is timed on the embedded model as well. Nothing here is asserted.
"""

import argparse
import copy
import json
from collections.abc import Callable
from typing import Any

import torch
from reporting import FOLDER, best_seconds, write_result
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from harness.models.answers.causal_model import CausalModel, fuse_activations
from harness.models.answers.decoding import Stop, decode
from harness.models.answers.reuse import Reuse
from harness.models.answers.verification import target_probabilities
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity

N_BEFORE, N_BEHIND, N_NEW = 10, 21, 10
BARE_BATCHES = (8, 32, 128)


class EndsAfter(Stop):
    """Every answer ends after `n` tokens."""

    def __init__(self, n: int) -> None:
        self._n, self._said = n, 0

    def reset(self, rows: torch.Tensor) -> None:  # noqa: ARG002  (all rows alike)
        """A batch begins."""
        self._said = 0

    def update(self, rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """All of them at once."""
        self._said += 1
        return torch.full_like(rows, self._said >= self._n, dtype=torch.bool)


def generate_each(backend: Any, prompts: list[list[int]]) -> None:
    """What the published tools do: one `generate` call for each token."""
    for prompt in prompts:
        row = torch.tensor([prompt])
        backend.generate(
            row,
            attention_mask=torch.ones_like(row),
            max_new_tokens=N_NEW,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )


def forward_all(backend: Any, prompts: list[list[int]], size: int) -> None:
    """Nothing but the logits of the prompts, in batches."""
    with torch.inference_mode():
        for batch in torch.tensor(prompts).split(size):
            backend(batch, use_cache=False)


def rates(
    backend: Any, prompts: list[list[int]], engine: dict[str, Callable[[], object]], n_single: int, rounds: int
) -> dict[str, Any]:
    """Tokens per second of every way, and the engine's over the others'."""
    single = prompts[:: max(1, len(prompts) // n_single)][:n_single]
    ways: dict[str, Callable[[], object]] = {"generate_one_by_one": lambda: generate_each(backend, single)}
    ways |= {f"bare_forward_{size}": lambda s=size: forward_all(backend, prompts, s) for size in BARE_BATCHES}
    took = best_seconds(ways | engine, rounds)
    found = {name: (n_single if name == "generate_one_by_one" else len(prompts)) / took[name] for name in took}
    found["bare_forward_best"] = max(found[f"bare_forward_{size}"] for size in BARE_BATCHES)
    for name in engine:
        found[f"{name}/over_generate"] = found[name] / found["generate_one_by_one"]
        found[f"{name}/over_bare_forward"] = found[name] / found["bare_forward_best"]
    return {name: round(value, 2) for name, value in found.items()}


def gpt2_shape(dtype: str, n_tokens: int, n_single: int, rounds: int) -> dict[str, Any]:
    """Random weights of GPT-2 small's shape."""
    torch.manual_seed(0)
    backend = GPT2LMHeadModel(GPT2Config()).eval().to(getattr(torch, dtype))
    backend.config.pad_token_id = None
    fused = copy.deepcopy(backend)
    fuse_activations(fused)
    model = CausalModel(fused)
    assert model.reuse(N_BEFORE + 1 + N_BEHIND + N_NEW) is Reuse.KEYS_AND_VALUES
    generator = torch.Generator().manual_seed(1)
    frame = torch.randint(50257, (N_BEFORE + N_BEHIND,), generator=generator).tolist()
    targets = torch.randperm(50257, generator=generator)[:n_tokens].tolist()
    prompts = [[*frame[:N_BEFORE], token, *frame[N_BEFORE:]] for token in targets]
    by_target = dict(zip(targets, prompts, strict=True))
    engine: dict[str, Callable[[], object]] = {
        "census": lambda: decode(model, prompts, N_NEW, EndsAfter(2)),
        "census_all_ten_steps": lambda: decode(model, prompts, N_NEW),
        "verification": lambda: target_probabilities(model, targets, by_target.__getitem__, 3),
    }
    return {"tokens": n_tokens, "rounds": rounds, **rates(backend, prompts, engine, n_single, rounds)}


def pocket(n_single: int, rounds: int) -> dict[str, Any]:
    """The repetition question about every token of the embedded model, verdicts compared."""
    from harness.glitch.census.interviewer import Interviewer
    from harness.glitch.census.questions import census_questions
    from harness.glitch.census.vocabulary import CensusVocabulary
    from harness.models.facts import load_facts
    from harness.models.tokenizer_loading import load_tokenizer
    from harness.tokens.prompts import Task

    config = ModelConfig(device="cpu")
    identity = resolve_identity(config)
    tokenizer = load_tokenizer(identity, config)
    assert tokenizer is not None
    facts = load_facts(identity, config, None, tokenizer)
    vocabulary = CensusVocabulary.read(tokenizer, facts)
    question = census_questions(tokenizer, facts)[Task.REPETITION]
    ids = vocabulary.testable_ids
    prompts = [question.prompt(token, tokenizer) for token in ids]
    backend = AutoModelForCausalLM.from_pretrained(identity.location).eval()
    backend.config.pad_token_id = None
    interviewer = Interviewer(CausalModel.load(identity, config), tokenizer, vocabulary, facts.special_ids)
    engine: dict[str, Callable[[], object]] = {"census": lambda: interviewer.ask(question, ids)}
    found = rates(backend, prompts, engine, 8 * n_single, rounds)
    return {"tokens": len(ids), "prompt_tokens": len(prompts[0]), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=256, help="tokens asked about")
    parser.add_argument("--one-by-one", type=int, default=6, help="of these, by `generate`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtypes", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--pocket", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep what the file holds of other models and dtypes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures: dict[str, object] = {
        "unit": "tokens of the vocabulary per second, best of the rounds",
        "prompt_tokens": N_BEFORE + 1 + N_BEHIND,
        "new_tokens": N_NEW,
    }
    for dtype in arguments.dtypes:
        figures[f"gpt2_shape_{dtype}"] = gpt2_shape(dtype, arguments.tokens, arguments.one_by_one, arguments.rounds)
    if arguments.pocket:
        figures["pocket_float32"] = pocket(arguments.one_by_one, arguments.rounds)
    if arguments.keep and (FOLDER / "census_speed.json").is_file():
        before = json.loads((FOLDER / "census_speed.json").read_text(encoding="utf-8"))
        kept = {key: value for key, value in before.items() if key.startswith(("gpt2_shape_", "pocket_"))}
        figures = {**kept, **figures}
    write_result("census_speed", figures)


if __name__ == "__main__":
    main()
