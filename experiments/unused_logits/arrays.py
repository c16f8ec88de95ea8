"""What unused_logits writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("<kind>/sequence", "position", "int64", "number of the sequence"),
    ArraySpec("<pool>/<kind>/total", "position", "float32", "probability of the whole pool"),
    ArraySpec("<pool>/<kind>/best_rank", "position", "int64", "rank of its likeliest token; 1 is best"),
    ArraySpec("<pool>/ids", "token", "int64", "the pool's tokens"),
    ArraySpec("<pool>/<kind>/logit_mean", "token", "float32", "raw logit, mean over positions"),
    ArraySpec("<pool>/<kind>/prob_mean", "token", "float32", "probability, mean over positions"),
    ArraySpec("<pool>/<kind>/prob_max", "token", "float32", "its largest"),
    ArraySpec("<pool>/last/logit", "prompt token", "float32", "raw logit at each prompt's last position"),
    ArraySpec("<pool>/last/prob", "prompt token", "float32", "probability there"),
)
