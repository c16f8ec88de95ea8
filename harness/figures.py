"""`python -m harness.figures`: the paper's figures and tables from all runs on disk."""

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.arguments import Arguments
from harness.errors import HarnessError
from harness.reporting import console
from harness.reporting.figures.paper import draw_paper


def main(argv: Sequence[str] | None = None) -> int:
    """Draw what `argv` requests; returns the exit code: 0 drawn, 2 nothing to draw or a wrong argument."""
    console.configure_logging()
    parser = Arguments(
        prog="python -m harness.figures",
        description="Draw the paper's figures (PDF, PNG) and tables (LaTeX, CSV) from all complete runs below a "
        "results folder. Only stored files are read: no model is loaded, nothing is computed again.",
        epilog="Runs that differ only by their seed become one mean with a 95 % Student t interval. Beside every "
        "figure lies a JSON file with its caption and the runs it came from. Runs of an older layout, and folders that "
        "cannot be read, are named in a warning and left out.",
    )
    parser.add_argument(
        "results_dir", nargs="?", default="results", type=Path, help="where the runs are (default: results)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: <results_dir>/paper)")
    parser.add_argument("--experiment", metavar="NAME", help="only runs of this experiment")
    try:
        arguments = parser.parse_args(argv)

        for drawn in draw_paper(arguments.results_dir, arguments.out, arguments.experiment):
            console.show(f"{drawn.path.resolve()}  from {drawn.n_runs} run{'s' * (drawn.n_runs != 1)}")
    except HarnessError as error:
        console.fail(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
