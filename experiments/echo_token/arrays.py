"""What echo_token writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_FITS = "where the prompt fits the model"

ARRAYS = (
    ArraySpec("<pool>/ids", "token", "int64", "the tokens tested, ascending", _FITS),
    ArraySpec("<pool>/<setting>/successes", "token", "int64",
              "trials that succeed: of 1 (greedy) or of `exp.n_seeds` (sampled)", _FITS),
)  # fmt: skip
