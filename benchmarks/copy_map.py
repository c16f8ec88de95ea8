"""Speed of exp=copy_map's reading: beside a bare batched forward of the same tokens, and one `generate` a token.

    python benchmarks/copy_map.py [--models pocket path/to/folder path/to/file.gguf] [--tokens 960] [--keep]

Both halves of every pair are read after either first half: four sequences a pair. The bare forward is transformers' own
on these four sequences whole, in batches, with the logits of every position and nothing done with them. "generate" is
one call a token: the sequence up to where it must be copied is the prompt, one new token, no control. `over_...` are
ratios of rates: tokens asked per second, each once, with its control. Nothing here is asserted.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting import FOLDER, best_seconds, write_result

from harness.glitch.copying.draws import Material, Pairs, draw_round
from harness.measure.logprobs import prediction_statistics
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.second_halves import SecondHalves
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity

SEQ_LEN, N_OWN, HALVES = 24, 12, 80
BARE_BATCHES = (16, 64, 160)


def sequences(pairs: Pairs, bos: list[int]) -> torch.Tensor:
    """[A A], [B A], [B B] and [A B] of every pair, whole."""
    halves = torch.from_numpy(pairs.halves)
    front = torch.tensor(bos, dtype=torch.long).expand(2 * len(halves), -1)
    other = halves[torch.arange(len(halves)) ^ 1]
    return torch.cat([front, torch.cat([halves, other]), torch.cat([halves, halves])], dim=1)


def read(halves: SecondHalves, pairs: Pairs, bos: list[int]) -> None:
    """What the experiment does with every pass."""
    swapped = torch.arange(HALVES) ^ 1
    for start in range(0, len(pairs.halves), HALVES):
        own = torch.from_numpy(pairs.halves[start : start + HALVES])
        targets = torch.from_numpy(pairs.targets[start : start + HALVES])
        order = swapped[: len(own)]
        first = torch.cat([torch.tensor(bos, dtype=torch.long).expand(len(own), -1), own], dim=1)
        seconds = ((own, targets), (own[order], targets[order]))
        logits = halves.logits(first, [second for second, _ in seconds], (pairs.places - 1).tolist())
        for found, (_, wanted) in zip(logits, seconds, strict=True):
            prediction_statistics(found, wanted)


def bare(backend: Any, tokens: torch.Tensor, size: int) -> None:
    """Nothing but the logits."""
    with torch.inference_mode():
        for batch in tokens.split(size):
            backend(batch, use_cache=False)


def generate_each(backend: Any, prompts: list[list[int]]) -> None:
    """One call a token."""
    for prompt in prompts:
        row = torch.tensor([prompt])
        mask = torch.ones_like(row)
        backend.generate(row, attention_mask=mask, max_new_tokens=1, do_sample=False, eos_token_id=None, pad_token_id=0)


def measured(name: str, n_tokens: int, n_single: int, rounds: int) -> dict[str, Any]:
    """Rates of one model."""
    config = ModelConfig(name=name, device="cpu")
    identity = resolve_identity(config)
    facts = load_facts(identity, config)
    bos = [] if facts.bos_id is None else [facts.bos_id]
    model = CausalModel.load(identity, config)
    everything = np.arange(facts.d_vocab)
    rng = np.random.default_rng(0)
    ids = rng.permutation(everything)[:n_tokens]
    material = Material(everything, everything, everything)
    pairs = draw_round(material, ids.tolist(), N_OWN, N_OWN, SEQ_LEN, rng)
    halves = SecondHalves(model, SEQ_LEN + len(bos), SEQ_LEN)
    tokens = sequences(pairs, bos)
    single = [
        [*bos, *half.tolist(), *half[:place].tolist()] for half in pairs.halves for place in pairs.places.tolist()
    ][:: max(1, pairs.targets.size // n_single)][:n_single]
    ways: dict[str, Callable[[], object]] = {"generate": lambda: generate_each(model.backend, single)}
    ways |= {f"bare_{size}": lambda size=size: bare(model.backend, tokens, size) for size in BARE_BATCHES}
    ways["copy_map"] = lambda: read(halves, pairs, bos)
    took = best_seconds(ways, rounds)
    n_asked = int(pairs.asked.sum())
    rate = {way: (len(single) if way == "generate" else n_asked) / seconds for way, seconds in took.items()}
    rate["bare_best"] = max(rate[f"bare_{size}"] for size in BARE_BATCHES)
    figures = {f"{way}_per_second": round(value, 1) for way, value in rate.items()}
    return figures | {
        "tokens": n_asked,
        "first_halves_shared": halves.is_shared,
        "over_bare": round(rate["copy_map"] / rate["bare_best"], 3),
        "over_generate": round(rate["copy_map"] / rate["generate"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["pocket"], help="names, folders, GGUF files")
    parser.add_argument("--tokens", type=int, default=960, help="tokens asked, each once")
    parser.add_argument("--one-by-one", type=int, default=24, help="of these, by `generate`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--keep", action="store_true", help="keep what the file holds of other models")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {
        Path(name).name: measured(name, arguments.tokens, arguments.one_by_one, arguments.rounds)
        for name in arguments.models
    }
    stored = FOLDER / "copy_map.json"
    if arguments.keep and stored.is_file():
        found = {**json.loads(stored.read_text(encoding="utf-8"))["models"], **found}
    write_result("copy_map", {"seq_len": SEQ_LEN, "own_places": N_OWN, "models": found})


if __name__ == "__main__":
    main()
