"""How a run of exp=train_organisms is shown."""

from collections.abc import Sequence

from experiments.train_organisms.arms import Arm
from experiments.train_organisms.figures import FIGURES
from experiments.train_organisms.paper import PAPER
from experiments.train_organisms.tables import TABLES, half_dose_text
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row an arm; of one that learnt too little only what it learnt."""
    rows = []
    for arm, label in run.details["arms"].items():
        values = {"well-shown copied": number(run.metrics[f"{arm}/well_shown/copied"], 2)}
        if run.metrics[f"{arm}/comparable"]:
            values |= {
                "half as well from dose": half_dose_text(run, arm, "copied"),
                "never shown: copied": with_interval(*run.interval(f"{arm}/dose_0/copied"), 2) or "–",
                "never shown: cosine of rows": number(run.metrics[f"{arm}/cosine/unembedding/never_shown"], 2),
            }
        else:
            values["half as well from dose"] = "says nothing: learnt too little"
        rows.append(HeadlineRow(label, values))
    return rows


def answer(run: StoredRun) -> Answer | None:
    """Where never-shown tokens end in the reference, and what changes that."""
    others = [arm for arm in run.details["arms"] if arm != Arm.REFERENCE.value]
    compared = [arm for arm in others if run.metrics[f"{arm}/comparable"]]

    def ends(arm: str) -> str:
        copied = with_interval(*run.interval(f"{arm}/dose_0/copied"), 2) or number(
            run.metrics[f"{arm}/dose_0/copied"], 2
        )
        cosine = with_interval(*run.interval(f"{arm}/cosine/unembedding/never_shown"), 2)
        beside = f", cosine to their mean {cosine}" if cosine else ""
        return f"{run.details['arms'][arm]}: {copied} copied{beside}"

    too_little = f"; {len(others) - len(compared)} of {len(others)} other arms learnt too little to compare"
    return Answer(
        f"Tokens never shown, {'; '.join(ends(arm) for arm in [Arm.REFERENCE.value, *compared])}"
        f"{too_little if others else ''}."
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
