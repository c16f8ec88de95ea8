"""The command line: one run or a sweep, and the last lines a person sees."""

import textwrap
from argparse import Namespace
from collections.abc import Sequence

from harness.arguments import Arguments
from harness.completion import SCRIPTS, complete
from harness.errors import HarnessError, Rejected
from harness.experiment_help import experiment_help
from harness.reporting import console
from harness.runs import registry
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible
from harness.version import __version__

HELP = """Experiments on tokens that training hardly ever showed: config in, measured, stored and drawn answer out.

usage: python -m harness exp=NAME [model=...] [pools=...] [key=value ...]
       python -m harness -m exp=NAME model=a,b seed=0,1,2      a sweep: every combination
       python -m harness sweep=NAME                            a prepared sweep

experiments (exp=):
{experiments}

choices
  model=      {models}
              any other: model.name=<hub name or local folder>; model.dtype=float32|bfloat16|float16, model.device=,
              model.revision=, model.n_ctx=, model.device_map=, model.compatibility_mode=, model.trust_remote_code=
  pools=      {pools}
              pools.NAME=SPEC for one of them, +pools.NAME=SPEC for one more; SPEC is a half-open slice 177:188, a list
              [5,7,9], or a rule: auto; byte_unused, no_token, reserved_names, unused_special, unreachable,
              coinciding_rows (unused tokens); exposures:LO:HI, natural:LO:HI,
              planted:DOSE (by training counts); early_merges, high_scores, low_ids (common ones);
              common_part:1:2 (one of two random parts of the common ones); all
  tracker=    {trackers}
  sweep=      {sweeps}

common keys
  force=true  compute again although the run is there and complete
  seed=0  results_dir=results  tokenizer.name=  cache.store=true  cache.max_gb=  cache.folder=
  exp.KEY=VALUE for a parameter of the experiment: exp=NAME --help says what each means

options
  -m, --multirun     run every combination of comma-separated values; launchers: hydra/launcher=basic, joblib,
                     submitit_local, slurm
  --cfg job          print the resolved config and stop (also: --cfg hydra, --cfg all)
  --config-dir DIR   also look for experiments in DIR (DIR/experiments/NAME.py), and for their presets in DIR/conf
  -h, --help         this page; with exp=NAME the parameters of that experiment, and what it measures
  --version          the version
  --completion bash  print a script for the shell's completion (also: zsh)

more commands
  python -m harness.results    list the runs on disk, compare two
  python -m harness.figures    draw the paper's figures and tables from all runs on disk

exit codes: 0 done, 1 failed while computing, 2 refused before computing, 3 a gate of the experiment was exceeded
"""


def run_command(argv: Sequence[str]) -> int:
    """Do what `argv` requests; returns the exit code. Every refusal is one line on stderr."""
    console.configure_logging()
    try:
        command = _parse(argv)
        for folder in command.config_dir:
            registry.add_search_folder(folder)
        return _dispatch(command)
    except HarnessError as error:
        console.fail(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        console.fail("interrupted; the same command continues where it stopped")
        return 130


def _dispatch(command: Namespace) -> int:
    if command.help:
        named = [word.removeprefix("exp=") for word in command.overrides if word.startswith("exp=")]
        console.show(experiment_help(named[-1]) if named else help_text())
        return 0
    if command.completion is not None:
        if command.completion not in SCRIPTS:
            raise Rejected.key("--completion", command.completion, ", ".join(SCRIPTS))
        console.show(SCRIPTS[command.completion].rstrip())
        return 0
    if command.complete is not None:
        console.show("\n".join(complete(command.complete)))
        return 0
    if command.version:
        console.show(__version__)
        return 0
    if command.cfg:
        return _show_config(command)
    if command.multirun or _names_sweep(command.overrides):
        # Only here: a sweep computes, and so needs everything.
        from harness.sweep import run_sweep

        return run_sweep(command.overrides)
    return _run_one(command.overrides)


def _names_sweep(words: Sequence[str]) -> bool:
    """Whether a `sweep=NAME` is among the overrides."""
    return any(word.startswith("sweep=") and word != "sweep=null" for word in words)


def _parse(argv: Sequence[str]) -> Namespace:
    parser = Arguments(prog="python -m harness", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true", default=not argv)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--completion", metavar="SHELL")
    parser.add_argument("--complete", metavar="LINE")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--cfg", "-c")
    parser.add_argument("--config-dir", "-cd", action="append", default=[])
    command, overrides = parser.parse_known_args(argv)
    for word in overrides:
        if word.startswith("-"):
            parser.error(f"{word}: no such option")
    command.overrides = overrides
    return command


def help_text() -> str:
    """The page `--help` prints; reads files only, imports no experiment."""

    def options(group: str) -> str:
        return ", ".join(registry.options(group)) or "none"

    known = registry.names()
    width = max((len(name) for name in known), default=0)
    experiments = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in sorted(known.items()))
    return HELP.format(
        experiments=experiments,
        models=_wrapped(options("model")),
        pools=options("pools"),
        trackers=options("tracker"),
        sweeps=options("sweep"),
    ).rstrip()


def _wrapped(text: str) -> str:
    return textwrap.fill(text, width=106, subsequent_indent=" " * 14, break_on_hyphens=False)


def _show_config(command: Namespace) -> int:
    # Hydra is not needed for --help.
    from omegaconf import OmegaConf

    from harness.runs.config.compose import compose_hydra, compose_run
    from harness.runs.config.rendered import config_yaml

    if command.cfg == "job":
        console.show(config_yaml(compose_run(command.overrides)).rstrip())
        return 0
    if command.cfg not in ("hydra", "all"):
        raise Rejected.key("--cfg", command.cfg, "job, hydra, all")
    composed = compose_hydra(command.overrides, return_hydra_config=True)
    shown = {"hydra": composed.hydra} if command.cfg == "hydra" else composed
    console.show(OmegaConf.to_yaml(shown).rstrip())
    return 0


def _run_one(overrides: Sequence[str]) -> int:
    # Hydra is not needed for --help.
    from harness.runs.config.compose import compose_run
    from harness.runs.preparing import find_complete, prepare

    prepared = prepare(compose_run(overrides))
    found = find_complete(prepared)
    if found is not None and not prepared.has_other_reference:
        console.show(f"found: computed {found.manifest.get('ended')} (force=true computes it again)")
        return show_run(found)
    # Only here: what computes and draws takes seconds to import.
    from harness.pipeline import execute_prepared

    return show_run(execute_prepared(prepared))


def show_run(stored: StoredRun) -> int:
    """The last lines of a run: its answer, headline numbers, notes, and where the folder is; returns the exit code."""
    rows = stored.headline
    if rows is None:
        # Stored before headlines were: made now, by what draws.
        from harness.reporting.display import load_display

        rows = load_display(stored.experiment).headline(stored)
    console.headline([(row.label, row.values) for row in rows], _title(stored))
    if stored.answer is not None:
        console.paragraph(visible(stored.answer.sentence))
    for note in stored.notes:
        console.show(f"{'warning' if note in stored.warnings else 'note'}: {note}")
    console.show(f"report: {stored.folder / 'report.html'}")
    console.show(f"results: {stored.folder}")
    return int(stored.manifest.get("exit_code", 0))


def _title(stored: StoredRun) -> str:
    tokenizer = (stored.manifest.get("tokenizer") or {}).get("label")
    subject = stored.model or tokenizer
    return f"{stored.experiment} on {subject}" if subject else stored.experiment
