"""The embedded model organism: a small GPT-2 whose training exposures are known for every token."""

from pathlib import Path

POCKET_FOLDER: Path = Path(__file__).parent / "model"
"""The shipped organism, in Hugging Face format with its exposures and recipe beside the weights."""

EXPOSURES_FILE = "exposures.safetensors"
PLANTED_FILE = "planted.json"
HELD_OUT_FILE = "held_out.json"
RECIPE_FILE = "recipe.json"
ANSWER_FILES = (EXPOSURES_FILE, PLANTED_FILE, HELD_OUT_FILE)
"""What experiments read beside an organism's weights. No answer depends on the recipe, which tells how it was made."""
