"""What repeat_one_token writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_ATTENTION = "where the model has attention patterns"
_BOS = f"{_ATTENTION} and BOS"
_CONTROL = "where there is a control"
_BOTH = f"{_ATTENTION} and there is a control"
_STARTED = "where a token of the pool starts"

ARRAYS = (
    ArraySpec("<pool>/ids", "token", "int64", "the tokens repeated, ascending"),
    ArraySpec("<pool>/logprob", "token repetition", "float32",
              "nats, of the token as its own continuation after n = 1, 2, ... copies"),
    ArraySpec("<pool>/rank", "token repetition", "int64", "its rank there; 1 is best, a tie counts against it"),
    ArraySpec("<pool>/likeliest", "token repetition", "int64", "the likeliest id there"),
    ArraySpec("<pool>/going_on/time", "time", "float32",
              "copies after which a token ended being the likeliest, counted from where it started", _STARTED),
    ArraySpec("<pool>/going_on/share", "time", "float32",
              "share of the tokens that started that goes on longer (Kaplan-Meier)", _STARTED),
    ArraySpec("<pool>/going_on/low", "time", "float32", "lower end of its pointwise 95 % interval; NaN at 0 and 1",
              _STARTED),
    ArraySpec("<pool>/going_on/high", "time", "float32", "upper end", _STARTED),
    ArraySpec("<pool>/norm", "token repetition", "float32",
              "norm of the residual stream at each copy over that at position 0, in the layer where position 0 stands "
              "out most", _CONTROL),
    ArraySpec("<pool>/norm/control", "token place", "float32",
              "the same at the places of the control: the token, then different ones of its pool", _CONTROL),
    ArraySpec("<pool>/norm/by_layer", "layer", "float32", "median over tokens and copies after the first", _CONTROL),
    ArraySpec("<pool>/norm/by_layer_control", "layer", "float32", "the same of the control", _CONTROL),
    ArraySpec("<pool>/attention/first", "token repetition", "float32",
              "from each copy to the first one, mean over heads and layers", _ATTENTION),
    ArraySpec("<pool>/attention/bos", "token repetition", "float32", "the same to BOS", _BOS),
    ArraySpec("<pool>/attention/first_control", "token place", "float32",
              "from each place of the control to the token after BOS", _BOTH),
    ArraySpec("<pool>/attention/bos_control", "token place", "float32", "the same to BOS",
              f"{_ATTENTION}, BOS and there is a control"),
    ArraySpec("<pool>/attention/first_by_head", "layer head", "float32",
              "from copies after the first to the first one, mean over tokens and copies; NaN for heads that a layer "
              "does not have", _ATTENTION),
    ArraySpec("<pool>/attention/bos_by_head", "layer head", "float32", "the same to BOS", _BOS),
)  # fmt: skip
