"""What may lie beside the weights of a model whose training is known."""

EXPOSURES_FILE = "exposures.safetensors"
PLANTED_FILE = "planted.json"
HELD_OUT_FILE = "held_out.json"
RECIPE_FILE = "recipe.json"
ANSWER_FILES = (EXPOSURES_FILE, PLANTED_FILE, HELD_OUT_FILE)
"""What experiments read. No answer depends on the recipe, which tells how the model was made."""
