"""Find out how this model can be asked, search, and write down what was found."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.find_glitch_tokens.config import FindGlitchTokensConfig
from experiments.find_glitch_tokens.search import End, Finding, Search, search
from harness.errors import RunFailed
from harness.glitch.census.calibration import CALIBRATION_STREAM, Trial, known_for, trial_of
from harness.glitch.census.families import WordingFamily, can_decide
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import Ladder, WordingAnswers, make_ladder
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import Wording, make_wordings, questions_of
from harness.glitch.detectors import roster
from harness.glitch.detectors.kept_oracle import KeptOracle
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.querying import Query, budget_steps, find_query
from harness.glitch.detectors.view import ModelView
from harness.glitch.detectors.viewing import unused_of, view_of
from harness.glitch.detectors.wording_oracle import WordingOracle
from harness.glitch.indicators import UnusedIds
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Outcome, Run
from harness.tokens.kinds import LABELS, kinds_of
from harness.tokens.text import shown
from harness.tokens.vocabulary_audit import audit_vocabulary

NOT_COUNTED = ("found", "confirmed", "predicted", "expected_missed", "expected_wrong", "expected_total", "passed",
               "missed_share", "spent", "spent_share", "tokens_asked", "full")  # fmt: skip
_NOTHING_COUNTS = (
    "No asked or echoed wording counts for this model, so nothing can be said about its tokens and none was asked."
)
_ONE_FAMILY = (
    "Only {family} wordings count for this model, and copying does not: a token that fails them may do so because of "
    "the family. A census by agreement would call it undecided."
)
_COPYING_DECIDES = (
    "Only {family} wordings count for this model, so what fails them is asked again by copying, the second family. One "
    "token by itself takes up to {most:,} token positions that way, {times:.0f} times a query that passes: few are "
    "asked for a small budget."
)
_TOO_SMALL = "The budget of {budget} token positions pays for no query ({most} are needed): no token was asked."
_BUDGET_ENDED = (
    "The budget was spent before the expected number of missed glitch tokens was below {share:g} % of all: "
    "{missed:.1f} of {total:.1f} are expected to be missed. A larger exp.budget finds more of them."
)
_NO_STEPS = "{name} begins anew with each budget, so exp.missed_below could not end its search early."


def measure(run: Run[FindGlitchTokensConfig]) -> Outcome:
    """The experiment from the model to its outcome."""
    with run.answering() as model:
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
        wordings = make_wordings(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
        ladder = make_ladder(interviewer, wordings, run.facts, run.pools["common"].ids, run.seed)
        with run.timer("wordings"):
            query = _find_query(run, ladder)
        if not query.wordings:
            run.warn(_NOTHING_COUNTS)
            return _nothing(run, query, ladder)
        families = [wording.family for wording in query.wordings]
        if not can_decide(families):
            run.warn(_ONE_FAMILY.format(family=families[0].value))
        elif WordingFamily.COPIED in families:
            times = query.price.most / query.price.usual
            run.note(_COPYING_DECIDES.format(family=families[0].value, most=query.price.most, times=times))
        unused = unused_of(run, run.exp.unused_ids)
        live = WordingOracle(ladder, query.wordings, query.further)
        ids = _candidates(run, ladder, live)
        first = query.wordings[0].name
        view = view_of(run, interviewer, ids, unused, query.price, first, run.exp.bos, run.exp.chat)
        oracle = KeptOracle(live, run.shards)
        with run.timer("search"):
            searched = _search(run, view, oracle)
    return _outcome(run, view, query, unused, oracle, searched)


def _find_query(run: Run[FindGlitchTokensConfig], ladder: Ladder) -> Query:
    """Each wording that is tried is kept as a shard."""

    def try_on_known(wording: Wording) -> Trial:
        known = known_for(ladder, wording, run.organism, run.pools, run.exp.n_calibration, run.seed)
        (arrays,) = compute_batches(
            run,
            [Batch(f"try-{wording.name}", known.ids, len(known.ids))],
            lambda batch: ladder.ask(wording, batch.work, CALIBRATION_STREAM).as_arrays(wording.name),
            no_rows,
            f"trying {wording.name}",
        )
        return trial_of(ladder, wording, WordingAnswers.from_arrays(wording.name, arrays), known.where)

    query = find_query(ladder, try_on_known, roster.make_detector(run.exp.detector, run.exp).looks_again)
    for trial in query.trials:
        run.note(trial.calibration.sentence())
    return query


def _candidates(run: Run[FindGlitchTokensConfig], ladder: Ladder, live: WordingOracle) -> list[int]:
    """The tokens that can be asked about, or a random part of them."""
    ids = np.array([i for i in ladder.testable_ids if i in live.askable], dtype=np.int64)
    n_left_out = len(ladder.testable_ids) - len(ids)
    if n_left_out:
        run.note(f"{n_left_out} tokens can't be asked about: a right answer would not be told from none.")
    if run.exp.n_tokens is not None and run.exp.n_tokens < len(ids):
        ids = np.random.default_rng([run.seed, 4]).permutation(ids)[: run.exp.n_tokens]
    return sorted(ids.tolist())


def _search(run: Run[FindGlitchTokensConfig], view: ModelView, oracle: QueryOracle) -> Search:
    detector = roster.make_detector(run.exp.detector, run.exp)
    obstacle = detector.obstacle(view)
    if obstacle is not None:
        raise RunFailed(f"exp.detector: {detector.name} can't be run on this model: {obstacle}")
    budgets = budget_steps(round(view.n * view.price.usual), run.exp.budget, view.price.most)
    if budgets[-1] < view.price.most:
        run.warn(_TOO_SMALL.format(budget=budgets[-1], most=view.price.most))
    elif not detector.goes_on and run.exp.missed_below is not None:
        run.note(_NO_STEPS.format(name=detector.name))
    before = 0
    with run.progress(budgets[-1], "searching") as advance:

        def follow(found: Finding) -> None:
            nonlocal before
            advance(found.spent - before)
            before = found.spent

        searched = search(
            view, detector, oracle, budgets, run.exp.missed_below, run.exp.confirm, run.seed, follow
        )  # fmt: skip
    last = searched.steps[-1]
    if searched.end is End.BUDGET and run.exp.missed_below is not None and last.asked.any():
        share = 100 * run.exp.missed_below
        run.warn(_BUDGET_ENDED.format(share=share, missed=last.expected_missed, total=last.expected_total))
    return searched


def _nothing(run: Run[FindGlitchTokensConfig], query: Query, ladder: Ladder) -> Outcome:
    metrics: dict[str, float | int | str | None] = dict.fromkeys(NOT_COUNTED)
    metrics |= {"tokens": len(ladder.testable_ids), "wordings": 0, "calibration_positions": query.n_positions,
                "calibration_share": None}  # fmt: skip
    details = _details(run, query) | {"end": None, "unused": None, "n_confirming": 0}
    return Outcome(metrics, {"ids": np.array(ladder.testable_ids, dtype=np.int64)}, details)


def _details(run: Run[FindGlitchTokensConfig], query: Query) -> dict[str, Any]:
    return {
        "detector": run.exp.detector,
        "missed_below": run.exp.missed_below,
        "wordings": [{"name": one.name, "family": one.family.value} for one in query.wordings],
        "further": [one.name for one in query.further],
        "questions": questions_of([*query.wordings, *query.further]),
        "calibration": {trial.name: trial.calibration.sentence() for trial in query.trials},
    }


def _outcome(
    run: Run[FindGlitchTokensConfig],
    view: ModelView,
    query: Query,
    unused: UnusedIds,
    oracle: QueryOracle,
    searched: Search,
) -> Outcome:
    last = searched.steps[-1]
    full = round(view.n * view.price.usual)
    metrics: dict[str, float | int | str | None] = {
        "tokens": view.n,
        "found": int(last.reported.sum()),
        "confirmed": int(last.confirmed.sum()),
        "predicted": int(last.predicted.sum()),
        "passed": int((last.asked & ~last.reported).sum()),
        "expected_missed": last.expected_missed,
        "expected_wrong": last.expected_wrong,
        "expected_total": last.expected_total,
        "missed_share": last.missed_share,
        "tokens_asked": int(last.asked.sum()),
        "spent": last.spent,
        "full": full,
        "spent_share": last.spent / full,
        "wordings": len(query.wordings),
        "calibration_positions": query.n_positions,
        "calibration_share": query.n_positions / full,
    }
    arrays = _arrays(run, view, oracle, searched)
    run.records.append(_rows(run, view, arrays))
    details = _details(run, query) | {
        "end": searched.end.value,
        "n_confirming": searched.n_confirming,
        "unused": {"rule": unused.rule, "ids": list(unused.ids)},
    }
    return Outcome(metrics, arrays, details)


def _arrays(
    run: Run[FindGlitchTokensConfig], view: ModelView, oracle: QueryOracle, searched: Search
) -> dict[str, np.ndarray]:
    last, steps = searched.steps[-1], searched.steps
    asked_at, margin = np.full(view.n, -1, dtype=np.int64), np.full(view.n, np.nan, dtype=np.float32)
    places = view.place[np.fromiter(oracle.answers, dtype=np.int64, count=len(oracle.answers))]
    asked_at[places] = np.arange(len(places))
    margin[places] = [oracle.margins.get(token, np.nan) for token in oracle.answers]
    counts = run.facts.exposures
    return {
        "ids": view.ids,
        "probability": last.probability.astype(np.float32),
        "asked_at": asked_at,
        "fails": np.where(last.asked, last.reported, -1).astype(np.int8),
        "reported": last.reported.astype(np.int8),
        "margin": margin,
        "step/spent": np.array([step.spent for step in steps], dtype=np.int64),
        "step/asked": np.array([step.asked.sum() for step in steps], dtype=np.int64),
        "step/confirmed": np.array([step.confirmed.sum() for step in steps], dtype=np.int64),
        "step/predicted": np.array([step.predicted.sum() for step in steps], dtype=np.int64),
        "step/expected_missed": np.array([step.expected_missed for step in steps]),
        "step/expected_total": np.array([step.expected_total for step in steps]),
        **({} if counts is None else {"exposures": counts.total[view.ids].astype(np.int64)}),
    }


def _rows(run: Run[FindGlitchTokensConfig], view: ModelView, arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """A record for each token that was asked or is reported, by id."""
    kinds = kinds_of(audit_vocabulary(run.tokenizer, run.facts.d_vocab), run.tokenizer, run.facts.d_vocab)
    exposures = arrays.get("exposures")
    rows = []
    for place in np.flatnonzero((arrays["reported"] == 1) | (arrays["asked_at"] >= 0)).tolist():
        token = int(view.ids[place])
        verdict = {1: "confirmed", 0: "passed", -1: "predicted"}[int(arrays["fails"][place])]
        rows.append(
            {
                "item": str(token),
                "id": token,
                "token": shown(view.texts[token]) if view.texts[token] else shown(run.tokenizer.token_text(token)),
                "verdict": verdict,
                "probability": float(arrays["probability"][place]),
                "margin": float(arrays["margin"][place]),
                "kind": LABELS[kinds[token]],
                "exposures": None if exposures is None else int(exposures[place]),
            }
        )
    return rows
