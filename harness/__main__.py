"""`python -m harness` and the `harness` console script."""

import sys

from harness.cli import run_command


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed while computing, 2 refused before computing."""
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
