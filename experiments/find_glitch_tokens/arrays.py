"""What find_glitch_tokens writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_SEARCHED = "where a wording counts for the model"

ARRAYS = (
    ArraySpec("ids", "token", "int64", "tokens that can be asked; where no wording counts, all that could be"),
    ArraySpec("probability", "token", "float32", "P(glitch); 1 or 0 for asked tokens", _SEARCHED),
    ArraySpec("asked_at", "token", "int64", "place in the order of asking, from 0; -1 never asked", _SEARCHED),
    ArraySpec("fails", "token", "int8", "1 fails both wordings of a query, 0 passes one, -1 never asked", _SEARCHED),
    ArraySpec("reported", "token", "int8", "1 on the list, asked or not", _SEARCHED),
    ArraySpec("margin", "token", "float32",
              "logits by which the better answer led; NaN where that can't be read or was not asked", _SEARCHED),
    ArraySpec("exposures", "token", "int64", "how often training showed it", "where that is known"),
    ArraySpec("step/spent", "step", "int64", "token positions processed; the last step is the confirmation", _SEARCHED),
    ArraySpec("step/asked", "step", "int64", "tokens asked so far", _SEARCHED),
    ArraySpec("step/confirmed", "step", "int64", "of them, those that fail", _SEARCHED),
    ArraySpec("step/predicted", "step", "int64", "tokens reported without having been asked", _SEARCHED),
    ArraySpec("step/expected_missed", "step", "float64", "sum of P(glitch) over what is neither asked nor reported",
              _SEARCHED),
    ArraySpec("step/expected_total", "step", "float64", "confirmed ones, and the sum of P(glitch) over all others",
              _SEARCHED),
)  # fmt: skip
