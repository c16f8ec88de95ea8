"""How a run of exp=repeat_tokens is shown."""

from collections.abc import Sequence

from experiments.repeat_tokens import data
from experiments.repeat_tokens.figures import FIGURES, panels, texts
from experiments.repeat_tokens.paper import PAPER_FIGURES, PAPER_TABLES
from experiments.repeat_tokens.tables import TABLES
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Curves, Display
from harness.reporting.pools import pools_shown
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_HALVES = {
    False: ("1st / 2nd half (nats)", ("logprob_first_half", "logprob_second_half")),
    True: ("after other / own (nats)", ("logprob_control", "logprob_second_half")),
}
"""What a mean is the difference of, by whether there is a control."""


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """What a run ends with: one row a pool, and the published row under it where there is one."""

    def halves(values: Sequence[float | None]) -> str:
        return " / ".join(number(value, 1) or "?" for value in values)

    rows = []
    answer = data.pictured(run)[0]
    # Published figures are means of the two halves: beside them these are shown.
    halves_label, names = _HALVES[data.is_controlled(run) and not data.published(run)]
    for pool in pools_shown(run):
        found = {name: data.measured(run, pool, name) for name in (*names, answer.name, "logit_diff", "copy_accuracy")}
        effect, identity = found[answer.name], found["logit_diff"]
        # A terminal of 80 columns holds the intervals of the answer, not those of its parts.
        values = {
            answer.label: with_interval(*effect.interval, 2),
            halves_label: halves([found[half].mean for half in names]),
        }
        if identity.mean is not None:
            values["logit difference"] = number(identity.mean, 1)
        values["copy accuracy"] = number(found["copy_accuracy"].mean, 2)
        head = run.metrics.get(f"{pool}/induction_head")
        if head is not None:
            values["induction"] = f"{head} ({number(run.metrics.get(f'{pool}/induction_score_max'), 2).lstrip('0')})"
        rows.append(HeadlineRow(pool, values))
        published = [found[half].published for half in names]
        if any(value is not None for value in published):
            beside = {answer.label: number(effect.published, 2), halves_label: halves(published)}
            rows.append(HeadlineRow(f"{pool}, {data.published_name(run)}", beside))
    return rows


def answer(run: StoredRun) -> Answer | None:
    """What of the second half is right, for the first and the last pool; what copying adds."""
    pools = [pool for pool in pools_shown(run) if data.measured(run, pool, "copy_accuracy").mean is not None]
    if not pools:
        return None

    def said(pool: str) -> str:
        measured = with_interval(*data.measured(run, pool, "copy_accuracy").interval, 2)
        apart = data.measured(run, pool, "logit_diff")
        identity = f", the right one {with_interval(*apart.interval, 2)} nats above another of its pool"
        return f"{pool} tokens are said in {measured} of places{identity if apart.mean is not None else ''}"

    ends = [pools[0], *pools[1:][-1:]]
    return Answer(f"When {run.model} sees a random sequence twice, {'; '.join(said(pool) for pool in ends)}.")


def curves(run: StoredRun) -> Sequence[Curves]:
    """Log-prob by position, a line a pool."""
    found = {pool: data.position(run, pool, "logprob_mean") for pool in pools_shown(run)}
    lines = {pool: values.tolist() for pool, values in found.items() if values is not None}
    length = 2 * data.seq_len(run)
    return [Curves("log-prob by position", "position", list(range(length)), lines)] if lines else []


DISPLAY = Display(
    answer=answer,
    curves=curves,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    texts=texts,
    panels=panels,
    paper_figures=PAPER_FIGURES,
    paper_tables=PAPER_TABLES,
)
