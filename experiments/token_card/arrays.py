"""What token_card writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("indicator/norm_output", "d_vocab", "float64", "length of every token's output row"),
    ArraySpec("indicator/norm_input", "d_vocab", "float64",
              "the same of input rows", "where the model has these apart"),
    ArraySpec("indicator/<name>", "d_vocab", "float64",
              "an indicator from the weights, of every token", "where it applies to the model"),
    ArraySpec("context/ids", "context", "int64", "the well-known token that stands before it"),
    ArraySpec("context/logit", "context", "float32", "the raw logit of the token there"),
    ArraySpec("context/logprob", "context", "float32", "natural logarithm of its probability"),
    ArraySpec("context/rank", "context", "int64", "1: the most likely of all"),
)  # fmt: skip
