"""`python -m harness exp=NAME --help`: the question, every parameter, what a run measures, two commands."""

import re
import textwrap
from collections.abc import Sequence

from harness.parameters import Parameter, parameters
from harness.runs import registry

PAGE = registry.PROJECT / "docs" / "results.md"
_WIDTH = 100


def experiment_help(name: str) -> str:
    """The page of one experiment. Raises `Rejected` where there is none."""
    experiment = registry.load(name)
    # Settings of parts, such as one of many detectors, stand below what all have.
    known = sorted(parameters(experiment.config), key=lambda one: "." in one.key)
    lines = [f"{name}: {experiment.summary}", "", f"usage: python -m harness exp={name} [exp.KEY=VALUE ...]", ""]
    lines += ["parameters (exp.KEY=VALUE)"] if known else ["It has no parameters of its own."]
    for parameter in known:
        lines += _parameter(parameter)
    lines += ["", "metrics (NAME/ci_low and NAME/ci_high beside those with an interval)"]
    table = metric_table(name)
    for key, meaning in table:
        lines += _hanging(key, meaning)
    lines += [] if table else [f"  see docs/results.md, section {name}"]
    lines += ["", "examples", *(f"  {command}" for command in example_commands(name, known))]
    lines += ["", "Models, pools, trackers and keys of every experiment: python -m harness --help"]
    return "\n".join(lines)


def example_commands(name: str, known: Sequence[Parameter]) -> list[str]:
    """The plain command, and one with the first whole number that has a default changed."""
    required = [f"exp.{one.key}=177" for one in known if one.default == "required"]
    plain = " ".join([f"python -m harness exp={name}", *required])
    numbers = [one for one in known if one.default.isdigit() and int(one.default) >= 4]
    if not numbers:
        return [plain, f"{plain} seed=1 force=true"]
    first = numbers[0]
    return [plain, f"{plain} exp.{first.key}={int(first.default) // 2}"]


def metric_table(name: str) -> list[tuple[str, str]]:
    """(names, meaning) of the metrics that docs/results.md lists for an experiment; empty where it lists none."""
    if not PAGE.is_file():
        return []
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    if section is None:
        return []
    rows = []
    # Tables of arrays follow a mark of their own.
    for table in re.finditer(r"(?<!-->\n)^\| metric[^\n]*\n\|[-| ]+\n((?:\|.*\n)+)", section[1], re.MULTILINE):
        for line in table[1].splitlines():
            key, meaning = (cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:3])
            rows.append((key.replace("`", ""), meaning.replace("`", "")))
    return rows


def _parameter(parameter: Parameter) -> list[str]:
    head = f"  {parameter.key}={parameter.default}   ({parameter.allowed})"
    lines = textwrap.wrap(head, _WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)
    return [*lines, *_indented(parameter.meaning)]


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False)


def _hanging(key: str, meaning: str) -> list[str]:
    return [*textwrap.wrap(f"  {key}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False), *_indented(meaning)]
