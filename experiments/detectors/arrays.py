"""What detectors writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_JUDGED = "where a task is within the model's reach"
_REPORTS = "of detectors that report on the way"

ARRAYS = (
    ArraySpec("ids", "token", "int64",
              "tokens with a verdict; where no verdict means anything, all that could have one"),
    ArraySpec("glitch", "token", "int8", "1 glitch token, 0 not", _JUDGED),
    ArraySpec("exposures", "token", "int64", "how often training showed it", "where that is known"),
    ArraySpec("grid", "point", "int64", "queries at which recall curves are read", _JUDGED),
    ArraySpec("ideal", "point", "float64", "recall of a detector that asks glitch tokens only", _JUDGED),
    ArraySpec("<detector>/recall_curve", "seed point", "float64",
              "share of glitch tokens whose verdict was bought", _JUDGED),
    ArraySpec("<detector>/predicted", "seed token", "int8", "1 reported", _JUDGED),
    ArraySpec("<detector>/scores", "seed token", "float32", "higher for glitch tokens", _JUDGED),
    ArraySpec("<detector>/progress/spent", "seed step", "int64",
              "queries before each report it would have made; -1 none", _REPORTS),
    ArraySpec("<detector>/progress/f1", "seed step", "float64", "F1 of that report; NaN none", _REPORTS),
    ArraySpec("fpr", "rate", "float64", "false-positive rates of the ROC curves"),
    ArraySpec("<detector>/roc/<truth>", "rate", "float64",
              "true-positive rate, mean over seeds; truth: census, exposures_le_n", _JUDGED),
    ArraySpec("indicator/<name>/roc/<truth>", "rate", "float64",
              "the same of a weight indicator by itself; low is suspicious", "where a truth is known"),
)  # fmt: skip
