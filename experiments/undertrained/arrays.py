"""What undertrained writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("indicator/<name>", "d_vocab", "float64", "an indicator from the weights; low is suspicious"),
    ArraySpec("category", "d_vocab", "int8", "position of the id's category in details[\"categories\"]"),
    ArraySpec("candidates", "candidate", "int64", "ids, ascending by the main indicator"),
    ArraySpec("max_prob", "candidate", "float32",
              "the largest probability over prompts and positions; NaN where no prompt fits"),
    ArraySpec("controls", "control", "int64", "random ids that are no candidates, verified as well; ascending"),
    ArraySpec("controls/max_prob", "control", "float32", "as `max_prob`, of the controls"),
    ArraySpec("<prompt>/max_prob", "candidate", "float32",
              "the largest probability over the first three greedy positions of one prompt", "for prompts that fit"),
)  # fmt: skip
