"""What detectors writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_JUDGED = "where a wording counts for the model"

ARRAYS = (
    ArraySpec("ids", "token", "int64",
              "tokens with a verdict; where no verdict means anything, all that could have one"),
    ArraySpec("glitch", "token", "int8", "1 fails every asked or echoed wording that counts, 0 not", _JUDGED),
    ArraySpec("query_fails", "token", "int8", "1 fails the two wordings of a query, 0 not", _JUDGED),
    ArraySpec("query_margin", "token", "float32",
              "logits by which the query's better answer led; NaN where that can't be read", _JUDGED),
    ArraySpec("query_positions", "token", "int64", "token positions that a query takes", _JUDGED),
    ArraySpec("exposures", "token", "int64", "how often training showed it", "where that is known"),
    ArraySpec("indicator/<name>", "token", "float32", "a weight indicator; low is suspicious"),
    ArraySpec("fpr", "rate", "float64", "false-positive rates of the ROC curves", _JUDGED),
    ArraySpec("indicator/<name>/roc", "rate", "float64", "true-positive rate of an indicator by itself", _JUDGED),
    ArraySpec("<detector>/asked", "seed budget token", "int8", "1 queried", _JUDGED),
    ArraySpec("<detector>/predicted", "seed budget token", "int8", "1 reported, queried or not", _JUDGED),
    ArraySpec("<detector>/probability", "budget token", "float32",
              "P(glitch) of the first seed; 1 or 0 for queried tokens", _JUDGED),
)  # fmt: skip
