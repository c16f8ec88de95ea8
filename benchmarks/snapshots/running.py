"""Chains of commands, each in a folder and in processes of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from snapshots.commands import RESULTS, Chain, Command, Places
from snapshots.plain import Placeholders
from snapshots.storing import store_tree

HEAVY = ("torch", "transformers", "transformer_lens", "pandas", "matplotlib", "scipy", "sklearn", "wandb", "numpy")
_LONGEST = 900
# The command as `python -m` would run it, and at its end the heavy packages that it imported, into a file.
_WITH_IMPORTS = """
import runpy, sys
report, module, *words = sys.argv[1:]
sys.argv = [module, *words]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    with open(report, "w") as file:
        file.writelines(f"{name}\\n" for name in {heavy!r} if name in sys.modules)
"""


class Runner:
    """Runs chains of commands with one checkout's harness and stores what they did below `out`."""

    def __init__(self, places: Places, work: Path, out: Path) -> None:
        self._places, self._work, self._out = places, work, out
        self._environment = _environment(places.checkout, work)
        self.seconds: dict[str, float] = {}
        """How long every command took, for whoever wants `take` to be quicker."""

    def check_checkout(self) -> None:
        """Refuse to take a snapshot of some other harness than the checkout's."""
        asked = [sys.executable, "-c", "import harness; print(harness.__file__)"]
        found = subprocess.run(asked, cwd=self._work, env=self._environment, capture_output=True, text=True, check=True)
        if not Path(found.stdout.strip()).is_relative_to(self._places.checkout):
            raise SystemExit(f"the harness that is imported is {found.stdout.strip()}, not the checkout's")

    def run_chain(self, chain: Chain) -> float:
        """Everything of one chain; returns the seconds it took."""
        started = time.perf_counter()
        folder, target = self._work / chain.name, self._out / chain.name
        folder.mkdir()
        shutil.rmtree(target, ignore_errors=True)
        if self._places.shared is not None:
            (folder / "shared").symlink_to(self._places.shared)
        if chain.prepare is not None:
            chain.prepare(folder, self._places)
        names = Placeholders(folder, self._places.checkout, self._places.shared)
        for command in chain.commands:
            self._run(command, folder, target / "commands" / folder_name(command.name), names)
        if (folder / RESULTS).is_dir():
            store_tree(folder / RESULTS, target / RESULTS, names)
        return time.perf_counter() - started

    def _run(self, command: Command, folder: Path, target: Path, names: Placeholders) -> None:
        target.mkdir(parents=True)
        if command.module == "harness.results":
            _space_out(folder / RESULTS)
        before = _stamps(folder)
        report = self._work / f"imports-{folder.name}"
        start = ["-c", _WITH_IMPORTS.replace("{heavy!r}", repr(HEAVY)), str(report)] if command.imports else ["-m"]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *start, command.module, *(_found(word, folder) for word in command.words)],
            cwd=folder, env=self._environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=_LONGEST,
            check=False,
        )  # fmt: skip
        self.seconds[f"{folder.name}/{command.name}"] = round(time.perf_counter() - started, 1)
        after = _stamps(folder)
        stored = {
            "command": " ".join(("python", "-m", command.module, *command.words)) + "\n",
            "exit_code": f"{done.returncode}\n",
            "stdout": names.said(done.stdout.decode(errors="backslashreplace")),
            "stderr": names.said(done.stderr.decode(errors="backslashreplace")),
            "written": "".join(f"{path}\n" for path in sorted(after) if after[path] != before.get(path)),
            "removed": "".join(f"{path}\n" for path in sorted(set(before) - set(after))),
        }
        if command.imports:
            stored["imports"] = report.read_text() or "nothing heavy\n"
        for name, text in stored.items():
            if text or name == "stderr":
                (target / f"{name}.txt").write_text(text, encoding="utf-8")


def folder_name(name: str) -> str:
    """A command's name as a folder, free of what a shell pattern would read otherwise."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)


def _found(word: str, folder: Path) -> str:
    """`word` with {PATTERN} replaced by the first path below `folder` that the pattern fits, {PATTERN#N} by another."""

    def first(match: re.Match[str]) -> str:
        paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob(match[1]))
        number = int(match[2] or 0)
        return paths[number] if number < len(paths) else match[0]

    return re.sub(r"\{(results/[^{}#]+)(?:#(\d+))?\}", first, word)


def _space_out(results: Path) -> None:
    """Give every run another second to have started in: runs are listed in that order, and some take less than one."""
    for number, path in enumerate(sorted(results.glob("*/*/manifest.json"))):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["started"] = f"2000-01-01T00:00:{number:02}+00:00"
        path.write_text(json.dumps(manifest), encoding="utf-8")


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """When every file was written and which it is: a file that is written anew has another number."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            stat = path.stat()
            found[path.relative_to(folder).as_posix()] = (stat.st_mtime_ns, stat.st_ino)
    return found


def _environment(checkout: Path, work: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    one_thread = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM", "RAYON")
    return {
        **kept,
        **{f"{name}_NUM_THREADS": "1" for name in one_thread},
        "PYTHONPATH": str(checkout),
        "LANG": "C.UTF-8",
        "COLUMNS": "240",
        "CUDA_VISIBLE_DEVICES": "",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(work / "hub"),
        "MPLCONFIGDIR": str(work / "matplotlib"),
    }
