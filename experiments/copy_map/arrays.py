"""What copy_map writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("ids", "token", "int64", "the tokens asked, ascending"),
    ArraySpec("logprob", "token", "float32", "nats, at its second occurrence; mean over its appearances"),
    ArraySpec("logprob_control", "token", "float32", "the same place after another first half"),
    ArraySpec("copy_effect", "token", "float32", "the first minus the second"),
    ArraySpec("logit_diff", "token", "float32",
              "nats by which it is likelier than the token there in the pair's other half, which did not occur"),
    ArraySpec("rank", "token", "float32", "median over its appearances; 1 is best"),
    ArraySpec("missed", "token", "int64", "appearances in which another token was at least as likely"),
    ArraySpec("not_copied", "token", "int8", "1 missed in more than half of its appearances, else 0"),
    ArraySpec("alike", "token", "int64", "ids that the model can't tell apart by input or output row, itself included"),
    ArraySpec("exposures", "token", "int64", "how often training showed it", "where that is known"),
    ArraySpec("exposures/<stream>", "token", "int64", "of these in `text`, `repeats` or `tasks`",
              "where that is known"),
    ArraySpec("planted", "token", "int8", "1 planted: its count was assigned at random, else 0",
              "where exposures are known"),
    ArraySpec("indicator/<name>", "token", "float64", "an indicator from the weights; low is suspicious",
              "where it applies to the model"),
    ArraySpec("census", "token", "int8", "1 fails the census, 0 passes, -1 no verdict", "with `exp.census`"),
    ArraySpec("worst/ids", "worst", "int64", "the tokens asked again, lowest log-prob first", "with `exp.n_worst`"),
    ArraySpec("worst/missed", "worst", "int64", "of the fresh appearances", "with `exp.n_worst`"),
    ArraySpec("worst/rank", "worst", "float32", "median over the fresh appearances", "with `exp.n_worst`"),
    ArraySpec("worst/<quantity>", "worst", "float32",
              "`logprob`, `copy_effect` or `logit_diff`, mean over the fresh appearances", "with `exp.n_worst`"),
    ArraySpec("worst/<quantity>/<end>", "worst", "float32",
              "`ci_low` and `ci_high`: its 95 % interval (Student t over the token's appearances)",
              "with `exp.n_worst`"),
)  # fmt: skip
