"""`python -m harness.figures`: the paper's figures and tables from all runs on disk."""

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.arguments import Arguments
from harness.errors import HarnessError
from harness.reporting import console
from harness.reporting.figures.paper import PaperLook, draw_paper
from harness.reporting.figures.style import ONE_COLUMN, TWO_COLUMNS
from harness.runs import registry

_WIDTHS = {"one": ONE_COLUMN, "two": TWO_COLUMNS}


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
    parser.add_argument(
        "--width",
        choices=_WIDTHS,
        default="two",
        help="the widest picture: of one column of the page (panels one above another), or both (default: two); maps "
        "of heads need both",
    )
    parser.add_argument("--footer", action="store_true", help="name the runs in small print below each picture")
    parser.add_argument(
        "--config-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="also look for experiments in DIR (DIR/experiments/NAME.py)",
    )
    try:
        arguments = parser.parse_args(argv)

        for folder in arguments.config_dir:
            registry.add_search_folder(folder)
        look = PaperLook(_WIDTHS[arguments.width], arguments.footer)
        for drawn in draw_paper(arguments.results_dir, arguments.out, arguments.experiment, look):
            console.show(f"{drawn.path.resolve()}  from {drawn.n_runs} run{'s' * (drawn.n_runs != 1)}")
    except HarnessError as error:
        console.fail(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
