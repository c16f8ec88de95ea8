"""Peak memory and time of capturing attention patterns, over a bare forward pass of the same tokens.

    python benchmarks/activation_memory.py [--threads 1] [--batch 32] [--repeats 3]

Models: a GPT-2-small shape with random weights, and pocket where it is present; 51 tokens a sequence. The peer is
TransformerLens' `run_with_cache` of the same patterns followed by `log_softmax`. Peaks are exact: every allocation and
release of torch's CPU allocator during the pass, as its profiler reports them. Nothing here is asserted.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reporting import write_result
from torch import Tensor

from harness.measure.heads import attention_by_offset
from harness.measure.logprobs import target_statistics
from harness.models.activations.capture import capture
from harness.models.activations.request import ActivationRequest
from harness.models.bridge import BridgedModel, boot
from harness.models.config import ModelConfig
from harness.models.identity import EMBEDDED_FOLDER, resolve_identity

SEQ_LEN = 25
PATTERNS = "blocks.*.attn.hook_pattern"


def peak_bytes(work: Callable[[], object]) -> int:
    """Most bytes that `work` held at once, beyond what was held before."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        result = work()
    del result
    held = peak = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def cases(model: BridgedModel, tokens: Tensor) -> dict[str, Callable[[], object]]:
    offsets = [ActivationRequest(PATTERNS, lambda x, _: attention_by_offset(x, SEQ_LEN, SEQ_LEN + 1))]

    def statistics_of(logits: Tensor) -> dict[str, Tensor]:
        return {"logprob": target_statistics(logits, tokens).logprob}

    def peer() -> tuple[Any, Tensor]:
        with torch.inference_mode():
            names = [name for name in model.hook_names if name.endswith("attn.hook_pattern")]
            logits, cache = model._bridge.run_with_cache(tokens, names_filter=names)
            return cache, logits.log_softmax(-1)

    return {
        "bare_forward": lambda: model.forward(tokens),
        "patterns": lambda: capture(model, tokens, offsets),
        "patterns_and_logprobs": lambda: capture(model, tokens, offsets, statistics_of),
        "peer_run_with_cache": peer,
    }


def measure(folder: str, batch: int, repeats: int) -> dict[str, Any]:
    config = ModelConfig(name=folder, device="cpu")
    model = boot(resolve_identity(config), config)
    generator = torch.Generator().manual_seed(0)
    half = torch.randint(0, model.d_vocab, (batch, SEQ_LEN), generator=generator)
    tokens = torch.cat([torch.zeros(batch, 1, dtype=torch.long), half, half], dim=1)
    figures: dict[str, Any] = {"batch": batch, "logits_mb": round(batch * tokens.shape[1] * model.d_vocab * 4 / 1e6, 1)}
    work = cases(model, tokens)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for name, run in work.items():
        run()
        figures[f"{name}_peak_mb"] = round(peak_bytes(run) / 1e6, 1)
    # Interleaved, so that whatever else the machine does falls on all alike.
    for _ in range(repeats):
        for name, run in work.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    model.close()
    for name in work:
        figures[f"{name}_seconds"] = round(statistics.median(seconds[name]), 3)
        figures[f"{name}_peak_over_bare"] = round(figures[f"{name}_peak_mb"] / figures["bare_forward_peak_mb"], 3)
        figures[f"{name}_time_over_bare"] = round(
            statistics.median(seconds[name]) / statistics.median(seconds["bare_forward"]), 3
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures: dict[str, Any] = {"positions": 2 * SEQ_LEN + 1, "peak": "MB above what was held before the pass"}
    with tempfile.TemporaryDirectory() as folder:
        from transformers import GPT2Config, GPT2LMHeadModel
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        torch.manual_seed(0)
        GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
        figures["gpt2_small_shape"] = measure(folder, arguments.batch, arguments.repeats)
    if (Path(EMBEDDED_FOLDER) / "model.safetensors").is_file():
        figures["pocket"] = measure("pocket", arguments.batch, arguments.repeats)
    write_result("activation_memory", figures)


if __name__ == "__main__":
    main()
