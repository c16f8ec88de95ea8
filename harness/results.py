"""`python -m harness.results`: the runs on disk, and two of them compared."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.arguments import Arguments
from harness.errors import HarnessError, Rejected
from harness.files import write_whole
from harness.reporting import console
from harness.runs.results import compare, listing

_STATUSES = ("complete", "running", "failed", "interrupted", "unreadable")


def main(argv: Sequence[str] | None = None) -> int:
    """List or compare; returns the exit code: 0 done, 2 nothing there or a wrong argument."""
    console.configure_logging()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:1] == ["compare"]:
            _compare(words[1:])
        else:
            _list(words)
    except HarnessError as error:
        console.fail(str(error))
        return Rejected.exit_code
    return 0


def _list(words: Sequence[str]) -> None:
    parser = Arguments(
        prog="python -m harness.results",
        description="List the runs below a results folder: experiment, model, pools, status and what they answer.",
        epilog="python -m harness.results compare A B   shows in what two runs differ; A and B are run ids, the "
        "beginnings of run ids, or run folders. --json and --csv hold every metric, for other programs.",
    )
    parser.add_argument(
        "results_dir", nargs="?", default="results", type=Path, help="where the runs are (default: results)"
    )
    parser.add_argument("--experiment", metavar="NAME", help="only runs of this experiment")
    parser.add_argument("--status", choices=_STATUSES, help="only runs that got this far")
    _add_formats(parser, csv=True)
    parser.add_argument("--html", nargs="?", const="", metavar="FILE", help="write one page to send: every run, one "
                        "metric of several, two compared (default: <results_dir>/index.html)")  # fmt: skip
    arguments = parser.parse_args(words)
    rows = listing.list_runs(arguments.results_dir, arguments.experiment, arguments.status)
    if arguments.json:
        console.show(listing.as_json(rows))
    elif arguments.csv:
        console.show(listing.as_csv(rows))
    elif not rows:
        raise Rejected(f"no runs below {arguments.results_dir}")
    elif arguments.html is not None:
        _write_page(rows, arguments.results_dir, Path(arguments.html or arguments.results_dir / "index.html"))
    else:
        console.show(listing.as_table(rows))
        console.show(f"{len(rows)} run{'s' * (len(rows) != 1)} below {arguments.results_dir.resolve()}")


def _write_page(rows: Sequence[listing.Listed], results_dir: Path, path: Path) -> None:
    # Only here: what draws pages is not needed to list.
    from harness.reporting.report.index import render_index

    page = render_index(rows, results_dir, path.resolve().parent)
    write_whole(path, page.encode("utf-8", errors="backslashreplace"))
    console.show(str(path.resolve()))


def _compare(words: Sequence[str]) -> None:
    parser = Arguments(
        prog="python -m harness.results compare",
        description="Show in what two runs differ: what was asked, and what came out.",
    )
    for name in ("A", "B"):
        parser.add_argument(name, help="a run id, the beginning of one, experiment/run id, or a run folder")
    parser.add_argument(
        "--results-dir", default="results", type=Path, metavar="DIR", help="where run ids are looked up"
    )
    _add_formats(parser, csv=False)
    arguments = parser.parse_args(words)
    found = compare.compare(*(compare.find_run(name, arguments.results_dir) for name in (arguments.A, arguments.B)))
    if arguments.json:
        console.show(compare.as_json(found))
        return
    names = [run.run_id for run in (found.a, found.b)]
    if found.a.experiment != found.b.experiment:
        names = [f"{run.experiment}/{run.run_id}" for run in (found.a, found.b)]
    for run in (found.a, found.b):
        if run.status != "complete":
            console.warn(f"{run.run_id} is {run.status}: its numbers may be missing")
    if found.requested:
        console.table(["asked", *names], compare.requested_rows(found))
    else:
        console.show(f"{names[0]} and {names[1]} were asked the same.")
    if found.measured:
        console.table(["measured", *names, "difference"], compare.measured_rows(found))
    console.show(
        f"{found.n_equal_metrics} metrics are equal, {len(found.measured)} differ; * by more than both intervals "
        "together leave open, as if they were independent."
    )


def _add_formats(parser: argparse.ArgumentParser, csv: bool) -> None:
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON")
    if csv:
        formats.add_argument("--csv", action="store_true", help="print CSV, one column a metric")


if __name__ == "__main__":
    sys.exit(main())
