"""What the command line does, stored, so that a change that should change nothing can be seen to change nothing.

    python benchmarks/behaviour.py take OUT [--checkout PATH] [--shared PATH] [--only NAME ...] [--jobs N]
    python benchmarks/behaviour.py compare A B [--only NAME ...] [--ignore GLOB] [--ignore-lines REGEX]

`take` runs a few hundred small commands (every experiment, sweeps, the two other commands, help pages, refusals) with
a checkout's harness, each in a process of its own below a temporary folder, and keeps in OUT what each said, which
files it wrote and what is in them. `compare` lists every difference and ends with 1 where there is one. An intended
one is named: `--ignore 'tokens/*/report.html'`, `--ignore '*/metrics.json:unused/copy_*'`,
`--ignore-lines 'experiment_version'`.

    OUT/<chain>/commands/<command>/   command, exit_code, stdout, stderr, written, removed, imports (.txt)
    OUT/<chain>/results/...           the results folder; arrays as hashes, reports and manifests without times

Compare only what was taken on one machine with one set of packages: sums of floats depend on both.
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from snapshots import measured, refused
from snapshots.commands import Chain, Places
from snapshots.comparing import Comparison
from snapshots.running import Runner, folder_name

# The longest first: with several jobs the short ones fill the end.
CHAINS = (
    refused.INPUTS, refused.REQUESTS, measured.REPEAT_TOKENS, measured.TOKENS, measured.PATH_STAR, measured.CENSUSES,
    measured.AUDIT, measured.TRAINING, measured.SHARED, measured.OUTSIDE, measured.HELP,
)  # fmt: skip
HERE = Path(__file__).resolve().parents[1]


def take(asked: argparse.Namespace) -> int:
    """Run the chains and store what they did."""
    checkout = asked.checkout.resolve()
    shared = asked.shared or Path(os.environ.get("HARNESS_SHARED", HERE.parent / "shared"))
    places = Places(checkout, shared.resolve() if shared.is_dir() else None)
    chains = [chain for chain in CHAINS if not asked.only or chain.name in asked.only]
    for chain in chains:
        names = [folder_name(command.name) for command in chain.commands]
        assert len(set(names)) == len(names), f"two commands of {chain.name} have one name"
        if chain.needs_shared and places.shared is None:
            print(f"{chain.name} is left out: there is no folder {shared}", file=sys.stderr)
    chains = [chain for chain in chains if not (chain.needs_shared and places.shared is None)]
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="behaviour-") as work:
        runner = Runner(places, Path(work).resolve(), asked.out.resolve())
        runner.check_checkout()

        def run(chain: Chain) -> None:
            seconds = runner.run_chain(chain)
            print(f"{chain.name}: {len(chain.commands)} commands in {seconds:.0f} s", flush=True)

        with ThreadPoolExecutor(asked.jobs) as pool:
            list(pool.map(run, chains))
    facts = _facts(checkout) | {"seconds": runner.seconds}
    (asked.out / "taken.json").write_text(json.dumps(facts, indent=1) + "\n")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{used.ru_utime + used.ru_stime:.0f} s of processor time")
    return 0


def _facts(checkout: Path) -> dict[str, object]:
    """What the numbers depend on beside the code; `compare` warns where it differs."""
    packages = sorted(f"{found.name} {found.version}" for found in metadata.distributions())
    machine = {"machine": platform.machine(), "system": platform.platform(), "processors": os.cpu_count()}
    return {"checkout": str(checkout), "python": sys.version, **machine, "packages": packages}


def compare(asked: argparse.Namespace) -> int:
    """Print every difference; 1 where there is one."""
    facts = []
    for folder in (asked.a, asked.b):
        if not (folder / "taken.json").is_file():
            raise SystemExit(f"{folder} holds no complete snapshot")
        facts.append(json.loads((folder / "taken.json").read_text()))
    for name in facts[0]:
        if name not in ("checkout", "seconds") and facts[0][name] != facts[1].get(name):
            print(f"warning: taken with another {name}", file=sys.stderr)
    n = 0
    for difference in Comparison(asked.a, asked.b, asked.only, asked.ignore, asked.ignore_lines).differences():
        print(difference)
        n += 1
    print(f"{n} differences" if n else "no difference")
    return 1 if n else 0


def main() -> int:
    """Take or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    taking = commands.add_parser("take", help="store what the command line does")
    comparing = commands.add_parser("compare", help="list what differs between two snapshots")
    taking.add_argument("out", type=Path)
    taking.add_argument("--checkout", type=Path, default=HERE, help="default: the one this program lies in")
    taking.add_argument(
        "--shared", type=Path, help="models and tokenizers of others; default: $HARNESS_SHARED, ../shared"
    )
    for parser_of_one in (taking, comparing):
        parser_of_one.add_argument("--only", nargs="+", default=(), choices=[chain.name for chain in CHAINS],
                                   metavar="NAME", help="only these: %(choices)s")  # fmt: skip
    taking.add_argument("--jobs", type=int, default=1)
    taking.set_defaults(do=take)
    comparing.add_argument("a", type=Path)
    comparing.add_argument("b", type=Path)
    comparing.add_argument("--ignore", action="append", default=[], metavar="GLOB")
    comparing.add_argument("--ignore-lines", action="append", default=[], metavar="REGEX")
    comparing.set_defaults(do=compare)
    asked = parser.parse_args()
    return asked.do(asked)


if __name__ == "__main__":
    sys.exit(main())
