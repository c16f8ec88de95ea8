"""What repair writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_MENDED = "where a glitch token is known"

ARRAYS = (
    ArraySpec("glitch/ids", "token", "int64", "the tokens that are mended, ascending", _MENDED),
    ArraySpec("glitch/held_out", "token", "int8", "1 no method chooses anything by it, 0 it may", _MENDED),
    ArraySpec("healthy/ids", "healthy", "int64", "healthy tokens, in random order", _MENDED),
    ArraySpec("mistaken/ids", "mistaken", "int64", "healthy tokens that each method is applied to as well, ascending",
              _MENDED),
    ArraySpec("documents/words", "document", "int64", "what stands between spaces", _MENDED),
    ArraySpec("documents/tokens", "document", "int64", "predicted tokens, by the model's own tokenizer", _MENDED),
    ArraySpec("<method>/passed", "token wording", "int8",
              "glitch tokens in each held-out wording, asked the second way: 1 passed, 0 failed, -1 not askable",
              _MENDED),
    ArraySpec("<method>/fitting_passed", "token fitting", "int8", "the same in the wordings that methods may see",
              _MENDED),
    ArraySpec("<method>/healthy_passed", "healthy", "int8", "1 passes a held-out wording, 0 none, -1 not askable",
              _MENDED),
    ArraySpec("<method>/mistaken_passed", "mistaken", "int8", "the same of healthy tokens that were mended", _MENDED),
    ArraySpec("<method>/nats", "document", "float64", "minus log-prob of a document", _MENDED),
    ArraySpec("<method>/copy_effect", "copied", "float32", "nats, of some healthy tokens, ascending by id",
              "where the model has room for sequences that occur twice"),
)  # fmt: skip
