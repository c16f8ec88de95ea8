"""The embedded model organism: a small GPT-2 whose training exposures are known for every token."""

from pathlib import Path

POCKET_FOLDER: Path = Path(__file__).parent / "model"
"""The shipped organism, in Hugging Face format with its exposures and recipe beside the weights."""
