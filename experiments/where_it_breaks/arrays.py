"""What where_it_breaks writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_PATTERNS = "where the model's attention patterns can be replaced"
_SEVERAL = "where the pool has more than one token"
_ADDS_UP = "where heads, MLPs and the embedding add up to what the unembedding reads"
_WEIGHTS = f"{_ADDS_UP}, and the embedding is a multiple of its rows"
_CONTENT = f"{_WEIGHTS}, and positions have no part in attention scores"
_DECODED = "where the final state can be read, and there are two tokens and two appearances"

ARRAYS = (
    ArraySpec("heads/previous", "layer head", "float32",
              "attention of partners' second halves to the token before, by layers that attend; NaN for heads that a "
              "layer does not have", _PATTERNS),
    ArraySpec("heads/induction", "layer head", "float32",
              "attention of the partners' cues to what followed them in the first half", _PATTERNS),
    ArraySpec("<pool>/ids", "token", "int64", "the tokens under study, ascending"),
    ArraySpec("<pool>/partners", "token", "int64", "the well-known token that stands in for each"),
    ArraySpec("<pool>/others", "token", "int64", "another one, which stands in for the partner in controls"),
    ArraySpec("<pool>/identity/<name>", "token", "float32",
              "identity effect (logits, mean over its appearances) of `own` tokens, of each `partner`, of own tokens "
              "with each intervention, and of partners with each ablation"),
    ArraySpec("<pool>/copy_effect/<name>", "token", "float32", "copy effect (nats) of the same"),
    ArraySpec("<pool>/copied/<name>", "token", "float32",
              "share of appearances in which the token read is the only likeliest"),
    ArraySpec("<pool>/control/<intervention>", "token", "float32",
              "identity effect of partners with the same intervention, from another well-known token"),
    ArraySpec("<pool>/residual/<half>", "token layer", "float32",
              "identity effect with the residual stream of the partner's run before each layer of details `layers`, at "
              "the positions of the `first` or the `second` half, read as the partner",
              "where the residual stream can be replaced"),
    ArraySpec("<pool>/lens/<whose>", "token layer", "float32",
              "identity effect of `own` and `partner` where the residual stream before each layer of details `layers` "
              "goes straight to the final norm (logit lens)", "where the residual stream can be replaced"),
    ArraySpec("<pool>/attribution/heads/<whose>", "token layer head", "float32",
              "what each head adds to the identity effect of `own` and `partner` by writing (logits), by layers that "
              "attend; NaN for heads that a layer does not have", _ADDS_UP),
    ArraySpec("<pool>/attribution/mlps/<whose>", "token layer", "float32", "the same of MLPs", _ADDS_UP),
    ArraySpec("<pool>/attribution/rest/<whose>", "token", "float32", "the same of the embedding and of heads' biases",
              _ADDS_UP),
    ArraySpec("<pool>/ov_copying/<head>/rank/<whose>", "token", "float32",
              "rank of the token itself (1 is best, ties half) among the tokens under study and all well-known ones in "
              "what the unembedding reads of an induction head that looks at its input row", _WEIGHTS),
    ArraySpec("<pool>/ov_copying/<head>/z_score/<whose>", "token", "float32",
              "its logit there above their mean, in standard deviations", _WEIGHTS),
    ArraySpec("<pool>/matching/<previous>_<induction>/rank/<whose>", "token", "float32",
              "rank of the key that a previous-token head makes of the token's input row among the keys of the same "
              "tokens, for an induction head's query of the token's input row", _CONTENT),
    ArraySpec("<pool>/matching/<previous>_<induction>/z_score/<whose>", "token", "float32",
              "its score there above their mean, in standard deviations", _CONTENT),
    ArraySpec("<pool>/logprob/<whose>", "token", "float32", "nats, of `own` and `partner` where each must be copied"),
    ArraySpec("<pool>/attention/<kind>/<whose>", "token", "float32",
              "mean over the chosen heads: `previous`, from a token's first occurrence to the one before; "
              "`induction`, from its cue's second occurrence to the token's first", _PATTERNS),
    ArraySpec("<pool>/decoded/<name>", "token", "float32",
              "share of appearances in which what the first half added to the final state is nearest to what it added "
              "in the token's other appearances", _DECODED),
    ArraySpec("<pool>/decoded_pairwise/<name>", "token", "float32",
              "share of the other tokens' additions that are farther than its own", _DECODED),
    ArraySpec("<pool>/mixed", "token cell", "float32",
              "identity effect in mixed halves: cue and copied token both own; the copied one its partner; the cue its "
              "partner; both; and, where rows can be changed, the cue own with its input row mended, the copied one "
              "its partner; NaN for a token that had no cue", _SEVERAL),
    ArraySpec("<pool>/mixed_attention", "token cell", "float32",
              "induction heads' attention from the cue's second occurrence to the token's first, in the same cells",
              f"{_SEVERAL}, and {_PATTERNS.removeprefix('where ')}"),
    ArraySpec("<pool>/mixed_matched", "token cell", "float32",
              "share of induction heads that attend from the cue's second occurrence more to the token than to any "
              "other of the first half, in the same cells", f"{_SEVERAL}, and {_PATTERNS.removeprefix('where ')}"),
)  # fmt: skip
