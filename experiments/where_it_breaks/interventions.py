"""What is tried, by name: which part of a run on tokens under study is taken from a run on their partners.

A *partner* is a well-known token that stands in exactly the same places of an otherwise equal sequence. What carries a
partner's identity (its input row, the output of induction heads, the residual stream) makes the model rightly expect
the partner, so it is read in the partner's column of the logits; reading a column is the same as swapping the two rows
of the unembedding.
"""

from dataclasses import dataclass
from enum import Enum


class Group(Enum):
    """Which part of copying an intervention is about."""

    READING = "reading"
    MOVING = "moving"
    WRITING = "writing"
    BOTH_ENDS = "reading and writing"
    ALL = "together"


class Rows(Enum):
    """What takes the place of a token's row."""

    PARTNERS = "the partner's row"
    RESCALED = "its own, with the median norm of the partners'"
    NO_DIRECTION = "every row without the direction from common tokens' mean to the pool's"
    MENDED = "the common mean plus the token's deviation from its pool's mean, in the partners' median length"
    RANDOM = "the common mean plus a random deviation of that length, the same at both ends"


class Heads(Enum):
    """Attention heads."""

    ALL = "all"
    PREVIOUS = "previous"
    INDUCTION = "induction"


class Whose(Enum):
    """Of a pair of equal sequences."""

    OWN = "own"
    PARTNER = "partner"


class Half(Enum):
    """Positions of a sequence."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True)
class Intervention:
    """One change of a run; what is not named stays as it is."""

    name: str
    label: str
    group: Group
    input: Rows | None = None
    output: Rows | None = None
    patterns: Heads | None = None
    """These attend as in the other one's run."""
    outputs: Heads | None = None
    """These write what they write in the other one's run."""
    is_path_to_keys: bool = False
    """Keys of induction heads read the outputs of previous-token heads, and nothing else, as the other one's run has
    them: path patching (Wang et al. 2022, arXiv 2211.00593)."""
    residual: tuple[int, Half] | None = None
    """The residual stream before this layer, at these positions, is the other one's."""
    column: Whose = Whose.OWN
    """Whose logit is read."""
    tokens: Whose = Whose.OWN
    """Whose sequence runs; patterns then come from the other one's."""


_READ, _MOVE, _WRITE, _BOTH = Group.READING, Group.MOVING, Group.WRITING, Group.BOTH_ENDS

INTERVENTIONS = (
    Intervention("swap_input", "partner's input row, read as itself", _READ, input=Rows.PARTNERS),
    Intervention("rescale_input", "input row rescaled", _READ, input=Rows.RESCALED),
    Intervention("remove_direction_input", "shared direction removed from the input", _READ, input=Rows.NO_DIRECTION),
    Intervention("mend_input", "input row mended", _READ, input=Rows.MENDED),
    Intervention("patterns_all", "attention patterns, all heads", _MOVE, patterns=Heads.ALL),
    Intervention("patterns_previous", "patterns, previous-token heads", _MOVE, patterns=Heads.PREVIOUS),
    Intervention("patterns_induction", "patterns, induction heads", _MOVE, patterns=Heads.INDUCTION),
    Intervention("path_previous_to_induction_keys", "path: previous-token heads to induction heads' keys", _MOVE,
                 is_path_to_keys=True),
    Intervention("output_previous", "output of previous-token heads", _MOVE, outputs=Heads.PREVIOUS),
    Intervention("output_induction", "output of induction heads, read as itself", _MOVE, outputs=Heads.INDUCTION),
    Intervention(
        "output_induction_as_partner", "output of induction heads, read as partner", _MOVE, outputs=Heads.INDUCTION,
        column=Whose.PARTNER,
    ),
    Intervention(
        "partner_with_own_patterns", "all the partner's, but own patterns", _MOVE, patterns=Heads.ALL,
        column=Whose.PARTNER, tokens=Whose.PARTNER,
    ),
    Intervention("swap_output", "partner's output row, own input", _WRITE, column=Whose.PARTNER),
    Intervention("rescale_output", "output row rescaled", _WRITE, output=Rows.RESCALED),
    Intervention(
        "remove_direction_output", "shared direction removed from the output", _WRITE, output=Rows.NO_DIRECTION
    ),
    Intervention("mend_output", "output row mended", _WRITE, output=Rows.MENDED),
    Intervention("rescale_both", "both rows rescaled", _BOTH, input=Rows.RESCALED, output=Rows.RESCALED),
    Intervention(
        "remove_direction_both", "shared direction removed from both", _BOTH, input=Rows.NO_DIRECTION,
        output=Rows.NO_DIRECTION,
    ),
    Intervention("mend_both", "both rows mended", _BOTH, input=Rows.MENDED, output=Rows.MENDED),
    Intervention("random_both", "one random row at both ends", _BOTH, input=Rows.RANDOM, output=Rows.RANDOM),
    Intervention("swap_both", "both rows are the partner's (must be 1)", _BOTH, input=Rows.PARTNERS,
                 column=Whose.PARTNER),
    Intervention(
        "patterns_all_mend_output", "all patterns, output row mended", Group.ALL, patterns=Heads.ALL,
        output=Rows.MENDED,
    ),
    Intervention(
        "patterns_all_mend_both", "all patterns, both rows mended", Group.ALL, patterns=Heads.ALL, input=Rows.MENDED,
        output=Rows.MENDED,
    ),
)  # fmt: skip


def stream(layer: int, half: Half) -> Intervention:
    """The residual stream before a layer, at the positions of one half."""
    return Intervention(
        f"residual_{half.value}_half_{layer}", f"residual stream before layer {layer}, {half.value} half", _MOVE,
        residual=(layer, half), column=Whose.PARTNER,
    )  # fmt: skip


PATH_ABLATION = "path_resampled"
ABLATIONS = ("previous_mean", "previous_resampled", "induction_mean", "induction_resampled", PATH_ABLATION)
"""What the partners' copying is asked to do without: the heads' output is its mean, or that of the control sequence;
of the path, only keys of induction heads read the latter."""

DECODED = ("mend_input", "random_both")
"""With these, too, it is asked whether the final state knows the token: of the second one, its input alone matters."""
