"""Frequent English words, from the text the embedded model learns from.

frequent_words.txt comes from `python -m harness.glitch.detectors.frequent_words`: runs of two letters a to z or more,
lower case, counted over the comments and strings of the standard library's files (code is left out by taking only words
that stand in docstrings and comments), the most frequent first.
"""

import io
import platform
import re
import tokenize
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path

from harness.organism.corpus import load_corpus

N_WORDS = 2000
_FILE = "frequent_words.txt"


@cache
def frequent_words() -> tuple[str, ...]:
    """The list, most frequent first."""
    text = (files("harness.glitch.detectors") / _FILE).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def count_words(texts: list[str]) -> Counter[str]:
    """How often each word stands in comments and strings of Python files; a file that does not parse is left out."""
    counts: Counter[str] = Counter()
    for text in texts:
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        except (tokenize.TokenError, SyntaxError):
            continue
        for token in tokens:
            if token.type in (tokenize.COMMENT, tokenize.STRING):
                counts.update(re.findall(r"\b[a-z]{2,}\b", token.string.lower()))
    return counts


def write_list(path: Path) -> None:
    """Make the file anew from this Python's standard library."""

    corpus = load_corpus(seed=0)
    counts = count_words([file.text for file in corpus.model])
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:N_WORDS]]
    head = (
        f"# The {N_WORDS} most frequent words of {len(corpus.model)} files of Python {platform.python_version()}'s "
        "standard library (comments and strings).\n# Made by: python -m harness.glitch.detectors.frequent_words\n"
    )
    path.write_text(head + "\n".join(words) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_list(Path(__file__).with_name(_FILE))
