"""Where a benchmark leaves its figures: one JSON in results/reference/benchmarks, with the machine it ran on."""

import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "results" / "reference" / "benchmarks"


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
