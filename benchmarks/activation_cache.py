"""What `cache.store=true` takes and saves: repeat_tokens on a real model, with and without activations on disk.

    python benchmarks/activation_cache.py [--model FILE.gguf] [--sequences 8] [--dtypes float32 bfloat16]

Every run is a process of its own, since the weights are what a second process need not load. In turn: without a store;
with an empty one; with the filled one, where the same tokens are asked about other heads (twice as many patterns are
kept); and with a limit of a quarter of what the filled one takes. "boots" and "passes" count how often the model was
loaded and run; "prepare" reads the tokenizer and chooses the pools, "compute" is all between that and the pictures.
Nothing here is asserted.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from reporting import write_result

from harness.models import lazy
from harness.models.activations.store import LOGITS, ActivationStore
from harness.runs.config.compose import compose_run
from harness.runs.lifecycle import open_run
from harness.runs.preparing import prepare

MODEL = "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GIGABYTE = 1_000_000_000


def one_run(overrides: list[str]) -> dict[str, Any]:
    """Do a run in this process, and count what it needed the model and the store for."""
    counted: dict[str, Any] = {"boots": 0, "passes": 0, "stored": 0, "stored_logits_gb": 0.0, "refused": 0}
    stores: list[ActivationStore] = []
    boot, save = lazy.boot, ActivationStore.save

    def counting_boot(*arguments: Any) -> Any:
        counted["boots"] += 1
        model = boot(*arguments)
        forward = model.forward

        def counting_forward(*given: Any, **named: Any) -> Any:
            counted["passes"] += 1
            return forward(*given, **named)

        model.forward = counting_forward
        return model

    def counting_save(store: ActivationStore, fingerprint: str, tokens: Any, name: str, activation: Any) -> None:
        before = store.size_bytes
        save(store, fingerprint, tokens, name, activation)
        grown = store.size_bytes - before
        counted["stored" if grown else "refused"] += 1
        counted["stored_logits_gb"] += grown / GIGABYTE if name == LOGITS else 0
        if store not in stores:
            stores.append(store)

    lazy.boot, ActivationStore.save = counting_boot, counting_save  # type: ignore[assignment, method-assign]
    with open_run(prepare(compose_run(["exp=repeat_tokens", *overrides]))) as opened:
        run = opened.compute()
        timings = opened.run.timings
    counted |= {f"{name}_seconds": round(timings[name], 2) for name in ("prepare", "compute")}
    counted["stored_logits_gb"] = round(counted["stored_logits_gb"], 3)
    counted["copy_effect"] = run.metrics["common/copy_effect"]
    counted["is_full"] = any(store.is_full for store in stores)
    return counted


def in_a_process(*overrides: str) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps(overrides)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def gigabytes(folder: Path) -> float:
    """What lies in a store, as the disk has it."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / GIGABYTE, 3)


def measure(model: str, dtype: str, n_sequences: int, base: Path) -> dict[str, Any]:
    """Four runs in one dtype."""
    store, small = base / "store", base / "small_store"
    common = [f"model.name={model}", f"model.dtype={dtype}", f"exp.n_sequences={n_sequences}", "tracker=none"]
    on = "cache.store=true"
    found: dict[str, Any] = {}
    found["no_store"] = in_a_process(*common, f"results_dir={base / 'a'}")
    found["empty_store"] = in_a_process(*common, on, f"cache.folder={store}", f"results_dir={base / 'b'}")
    found["store_gb"] = gigabytes(store)
    found["filled_store_other_heads"] = in_a_process(
        *common, on, f"cache.folder={store}", "exp.top_heads=8", f"results_dir={base / 'c'}"
    )
    limit = round(found["store_gb"] / 4, 3)
    limited = [on, f"cache.folder={small}", f"cache.max_gb={limit}"]
    found["limited_store"] = in_a_process(*common, *limited, f"results_dir={base / 'd'}")
    found["limited_store_gb"], found["limit_gb"] = gigabytes(small), limit
    seconds = {name: run["compute_seconds"] for name, run in found.items() if isinstance(run, dict)}
    found["compute_time_saved_ratio"] = round(seconds["no_store"] / seconds["filled_store_other_heads"], 2)
    found["compute_time_to_fill_ratio"] = round(seconds["empty_store"] / seconds["no_store"], 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one_run(json.loads(arguments.one))))
        return
    figures: dict[str, Any] = {"model": Path(arguments.model).name, "sequences_of_each_pool": arguments.sequences}
    for dtype in arguments.dtypes:
        with tempfile.TemporaryDirectory() as folder:
            figures[dtype] = measure(arguments.model, dtype, arguments.sequences, Path(folder))
        # After each: a later one that is interrupted takes nothing away.
        write_result("activation_cache", figures)


if __name__ == "__main__":
    main()
