"""Running text that no organism has seen: docstrings of those files that only tokenizers are made of."""

import ast
from pathlib import Path

from harness.organism.corpus import load_corpus

_LEAST_WORDS = 12
"""Shorter ones are hardly running text."""


def held_out_docstrings(seed: int, root: Path | None = None) -> tuple[str, ...]:
    """Docstrings of modules, classes and functions in files of the standard library that models are not shown.

    Each once, without the code's indentation; in order of file and line.
    `seed`, `root`: as for `load_corpus`. A real model may have seen them.
    """
    corpus = load_corpus(seed, root)
    shown = {file.name for file in corpus.model}
    found: dict[str, None] = {}
    for file in corpus.tokenizer:
        if file.name not in shown:
            found |= dict.fromkeys(_docstrings(file.text))
    return tuple(found)


def _docstrings(code: str) -> list[str]:
    try:
        tree = ast.parse(code)
    except SyntaxError:
        # Files are cut to a largest size, and a cut one may be no code any more.
        return []
    nodes = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]  # fmt: skip
    nodes.sort(key=lambda node: getattr(node, "lineno", 0))
    texts = [ast.get_docstring(node) or "" for node in nodes]
    return [text for text in texts if len(text.split()) >= _LEAST_WORDS]
