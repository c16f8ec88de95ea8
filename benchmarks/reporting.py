"""How benchmarks time, and where they leave figures: JSON in results/reference/benchmarks, with the machine."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "results" / "reference" / "benchmarks"


def best_seconds(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Fewest seconds of each way; they take turns, so that whatever else the machine does hits all of them alike."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, work in ways.items():
            started = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    import torch

    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else ""
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in ("torch", "transformers", "transformer-lens", "numpy")},
    }


def write_result(name: str, figures: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Write and show one benchmark's figures; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    text = json.dumps({"benchmark": name, "machine": machine(), **figures}, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)
    return path
