"""What train_organisms writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("<arm>/dose", "training token", "int64", "how often training showed each planted token"),
    ArraySpec("<arm>/copied", "training token", "float32",
              "share of its appearances in which a planted token is the only likeliest where it must be copied"),
    ArraySpec("<arm>/copy_effect", "training token", "float32",
              "nats gained by its first occurrence; mean over its appearances"),
    ArraySpec("<arm>/logit_diff", "training token", "float32",
              "nats by which it is likelier than the token there in the pair's other half, which did not occur"),
    ArraySpec("<arm>/well_shown/<quantity>", "training token", "float32",
              "`copied`, `copy_effect` and `logit_diff` of natural tokens that training showed `exp.well_shown` times"),
    ArraySpec("<arm>/loss", "training part", "float32",
              "nats per token: of the last hundred steps, and of text that training did not show (NaN: all was shown)"),
    ArraySpec("<arm>/cosine", "training matrix group", "float32",
              "mean cosine of rows to their mean row, both less the mean row of the vocabulary: embedding and "
              "unembedding; tokens never shown and as many well-shown ones"),
    ArraySpec("<arm>/norm", "training matrix group", "float32", "median length of the same rows"),
    ArraySpec("<arm>/auc", "training indicator", "float32",
              "area under the ROC curve of each indicator of details `indicators`, planted tokens never shown against "
              "well-shown ones; NaN: it does not apply"),
)  # fmt: skip
