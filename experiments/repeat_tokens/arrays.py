"""What repeat_tokens writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_ATTENTION = "where the model has attention patterns"

ARRAYS = (
    ArraySpec("<pool>/position/logprob_mean", "position", "float32", "nats, mean over sequences"),
    ArraySpec("<pool>/position/logprob_low", "position", "float32",
              "lower end of its 95 % interval (Student t over sequences)"),
    ArraySpec("<pool>/position/logprob_high", "position", "float32", "upper end"),
    ArraySpec("<pool>/position/accuracy_mean", "position", "float32",
              "share of sequences whose most likely token is the right one"),
    ArraySpec("<pool>/position/rank_median", "position", "float32",
              "median over sequences of the target's rank; 1 is best"),
    ArraySpec("<pool>/position/entropy_mean", "position", "float32", "nats, mean over sequences"),
    ArraySpec("<pool>/heads/attention_by_offset", "layer head offset", "float32",
              "mean attention from second-half queries to key = query - offset", _ATTENTION),
    ArraySpec("<pool>/example/pattern", "top_head query key", "float32",
              "attention of the pool's first sequence, BOS included", _ATTENTION),
    ArraySpec("<pool>/example/tokens", "pos", "int64", "its token ids, BOS included"),
)  # fmt: skip
