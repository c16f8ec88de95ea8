"""Seconds until the command line answers: --help, --cfg job, a rejected override, and a whole pocket run.

    python benchmarks/startup.py [--repeats 5]

Every figure is the median over whole processes, after one warm-up; nothing here is asserted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reporting import write_result

CASES = {
    "help": ["--help"],
    "cfg_job": ["exp=repeat_tokens", "--cfg", "job"],
    "rejected_override": ["exp=repeat_tokens", "exp.seq_len=abc"],
    "unknown_model": ["exp=repeat_tokens", "model=nothing"],
}


def seconds(words: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "harness", *words], capture_output=True, check=False)
    return time.perf_counter() - started


def whole_run(results: Path) -> tuple[float, dict[str, float]]:
    words = ["exp=repeat_tokens", f"results_dir={results}", "tracker=none", "force=true"]
    took = seconds(words)
    (timings,) = results.glob("repeat_tokens/*/timings.json")
    return took, json.loads(timings.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    figures: dict[str, object] = {"repeats": repeats, "unit": "seconds, median over processes"}
    for name, words in CASES.items():
        seconds(words)
        figures[name] = round(statistics.median(seconds(words) for _ in range(repeats)), 3)
    with tempfile.TemporaryDirectory() as folder:
        whole_run(Path(folder))
        runs = sorted((whole_run(Path(folder)) for _ in range(repeats)), key=lambda run: run[0])
        took, timings = runs[len(runs) // 2]
        figures["pocket_run"] = round(took, 2)
        figures["pocket_run_parts"] = {name: round(value, 2) for name, value in timings.items()}
        found_again = [seconds(["exp=repeat_tokens", f"results_dir={folder}", "tracker=none"]) for _ in range(repeats)]
        figures["pocket_run_found_complete"] = round(statistics.median(found_again), 2)
    write_result("startup", figures)


if __name__ == "__main__":
    main()
