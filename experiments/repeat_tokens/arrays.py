"""What repeat_tokens writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_CONTROL = "where there is a control (`exp.draws` is not replacement)"
_ATTENTION = "where the model has attention patterns"

ARRAYS = (
    ArraySpec("<pool>/position/logprob_mean", "position", "float32",
              "nats, mean over sequences with a token of the pool there"),
    ArraySpec("<pool>/position/logprob_low", "position", "float32",
              "lower end of its 95 % interval (Student t over sequences, at least 5)"),
    ArraySpec("<pool>/position/logprob_high", "position", "float32", "upper end"),
    ArraySpec("<pool>/position/accuracy_mean", "position", "float32",
              "share of sequences whose most likely token is the right one"),
    ArraySpec("<pool>/position/rank_median", "position", "float32",
              "median over sequences of the target's rank; 1 is best"),
    ArraySpec("<pool>/position/entropy_mean", "position", "float32", "nats, mean over sequences"),
    ArraySpec("<pool>/position/logprob_control_mean", "index", "float32",
              "of the second half after another first half", _CONTROL),
    ArraySpec("<pool>/position/logprob_foil_mean", "index", "float32",
              "in the second half after its own first half, of the token at that place of the other half", _CONTROL),
    ArraySpec("<pool>/position/logprob_shuffled_mean", "index", "float32",
              "of the second half after its own tokens in another order", _CONTROL),
    ArraySpec("<pool>/heads/attention_by_offset", "layer head offset", "float32",
              "mean attention from the pool's own second-half tokens to key = query - offset", _ATTENTION),
    ArraySpec("<pool>/example/pattern", "kept_head query key", "float32",
              "attention of the pool's first sequence, BOS included: top heads, then previous-token heads", _ATTENTION),
    ArraySpec("<pool>/example/logprob", "position", "float32", "nats, of each token of that sequence after BOS"),
    ArraySpec("<pool>/example/tokens", "pos", "int64", "its token ids, BOS included"),
)  # fmt: skip
