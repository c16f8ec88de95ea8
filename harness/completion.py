"""What a shell may complete: experiments, models, pools, sweeps, trackers, keys and their values."""

from collections.abc import Iterator, Sequence

from harness.parameters import Parameter, parameters
from harness.runs import registry

GROUPS = ("model", "pools", "sweep", "tracker")
KEYS = (
    "seed=", "force=true", "results_dir=", "model.name=", "model.dtype=", "model.device=", "model.revision=",
    "tokenizer.name=", "cache.store=true", "--help", "--cfg", "--config-dir", "--multirun", "--version",
)  # fmt: skip

BASH = """\
# python -m harness --completion bash >> ~/.bashrc
_harness() {
  local line="${COMP_LINE:0:COMP_POINT}" word
  word="${line##* }"
  # Bash breaks words at "=" and ":": only what stands after the last of them is put in.
  local kept="${word%"${word##*[=:]}"}"
  COMPREPLY=()
  while IFS= read -r candidate; do
    COMPREPLY+=("${candidate#"$kept"}")
  done < <(command harness --complete "$line" 2>/dev/null)
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _harness harness
"""

ZSH = """\
# python -m harness --completion zsh >> ~/.zshrc
_harness() {
  local -a found
  found=("${(@f)$(command harness --complete "${LBUFFER}" 2>/dev/null)}")
  compadd -Q -S '' -- $found
}
compdef _harness harness
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH}


def complete(line: str) -> list[str]:
    """Whole words that the last word of a command line may become, in alphabetical order."""
    *before, word = line.split(" ")
    named = [one.removeprefix("exp=") for one in before if one.startswith("exp=")]
    return sorted(one for one in _candidates(named, word) if one.startswith(word))


def _candidates(named: Sequence[str], word: str) -> Iterator[str]:
    known = registry.names()
    group = word.partition("=")[0]
    if "=" not in word:
        yield from (f"{one}=" for one in ("exp", *GROUPS))
        yield from KEYS
    elif group == "exp":
        yield from (f"exp={name}" for name in known)
    elif group in GROUPS:
        # Several of a sweep, one after the other.
        done = word[: word.rfind(",") + 1] or f"{group}="
        yield from (f"{done}{name}" for name in registry.options(group))
    if not named or named[-1] not in known:
        return
    if word.startswith("exp."):
        for parameter in parameters(registry.load(named[-1]).config):
            yield from _of_parameter(parameter, word)
    else:
        yield "exp."


def _of_parameter(parameter: Parameter, word: str) -> Iterator[str]:
    key = f"exp.{parameter.key}="
    if "=" not in word:
        yield key
        return
    if parameter.allowed == "true or false":
        yield from (f"{key}true", f"{key}false")
    elif "number" not in parameter.allowed and "," in parameter.allowed:
        yield from (f"{key}{value.strip()}" for value in parameter.allowed.split(",") if " " not in value.strip())
