"""One hunt on one model: the oracle, the hunt itself, its comparison with a census, the coordinates of the picture."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.glitchhunter.config import GlitchHunterConfig
from harness.errors import FieldRejected, Rejected, span
from harness.glitch.census.calibration import calibrate, well_known
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question, census_questions
from harness.glitch.census.stored import Census, find_census, load_census
from harness.glitch.census.verdict import Calibration
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.detectors.glitchhunter.hunt import Hunt, HuntGraph, Iteration, build_graph, hunt
from harness.glitch.detectors.glitchhunter.hypothesis import error_rates, plan_sample
from harness.glitch.detectors.kept_oracle import KeptOracle
from harness.glitch.detectors.live_oracle import LiveOracle
from harness.glitch.detectors.oracle import MemoOracle, TableOracle
from harness.glitch.graph.projection import project
from harness.measure.intervals import wilson
from harness.runs.context import Outcome, Run
from harness.tokens.prompts import Task
from harness.tokens.text import shown

log = logging.getLogger(__name__)

Metrics = dict[str, float | int | str | None]
_UNINFORMATIVE = (
    "No task asked here is within this model's reach, so no verdict means anything: the graph and its communities are "
    "shown, and nothing was hunted."
)


@dataclass(frozen=True)
class VerdictSource:
    """Where the hunt's verdicts come from, and how informative they are."""

    oracle: MemoOracle | None
    """None where no verdict on this model means anything."""
    questions: tuple[str, ...]
    """Tasks asked while hunting, or the wordings that a stored census rests on."""
    calibrations: Mapping[Task, Calibration]


@dataclass(frozen=True)
class Hunted:
    """A hunt (None where there was nothing to ask) and its first graph."""

    ids: tuple[int, ...]
    first_graph: HuntGraph
    source: VerdictSource
    hunt: Hunt | None


def measure(run: Run[GlitchHunterConfig]) -> Outcome:
    """The experiment from the model to its outcome."""
    census = _census(run)
    with run.answering() as model:
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
        ids = _candidates(run, vocabulary, census)
        rows = model.embedding().float().cpu().numpy()[list(ids)]
        hunted = _hunt(run, rows, ids, _verdict_source(run, interviewer, census))
    with run.timer("project"):
        graph = hunted.first_graph
        xy = project(graph.reduced, graph.neighbours, run.exp.projection, run.seed)
    return _outcome(run, vocabulary, hunted, census, xy)


def _census(run: Run[GlitchHunterConfig]) -> Census | None:
    """The census to compare with; None where the config names none and none is found."""
    if run.exp.census is not None:
        return load_census(run.exp.census, run.identity)
    try:
        return load_census(find_census(run.config.results_dir, run.identity), run.identity)
    except Rejected as none_found:
        if run.exp.from_census:
            raise
        log.info("exp.%s", none_found)
        run.note("There is no census of this model to compare with: precision and recall are not known.")
        return None


def _candidates(run: Run[GlitchHunterConfig], vocabulary: CensusVocabulary, census: Census | None) -> tuple[int, ...]:
    """Every token that is not special; for stored verdicts those that have one."""
    ids = vocabulary.testable_ids
    if not run.exp.from_census or census is None:
        return ids
    known = tuple(i for i in ids if i in census.glitch)
    if len(known) < len(ids):
        run.note(f"{len(ids) - len(known)} tokens have no verdict in the census and took no part in the hunt.")
    if known and run.exp.k >= len(known):
        allowed = f"{span(1, len(known) - 1)}, neighbours among the tokens with a verdict"
        raise FieldRejected.key("k", run.exp.k, allowed)
    return known or ids


def _verdict_source(run: Run[GlitchHunterConfig], interviewer: Interviewer, census: Census | None) -> VerdictSource:
    if run.exp.from_census:
        assert census is not None
        if not census.informative:
            return VerdictSource(None, (), {})
        price = round(census.tokens_per_query)
        oracle = TableOracle(census.glitch, tokens_per_query=price, budget=run.exp.budget)
        return VerdictSource(oracle, census.informative, {})
    questions = census_questions(run.tokenizer, run.facts, run.exp.bos, run.exp.chat, run.exp.tasks)
    with run.timer("calibrate"):
        calibrations = {
            task: calibrate(interviewer, question, well_known(task, run.organism, run.pools))
            for task, question in questions.items()
        }
    for calibration in calibrations.values():
        run.note(calibration.sentence())
    informative = [task for task, calibration in calibrations.items() if calibration.is_informative]
    live = _live(run, interviewer, [questions[task] for task in informative])
    return VerdictSource(live, tuple(task.value for task in informative), calibrations)


def _live(run: Run[GlitchHunterConfig], interviewer: Interviewer, questions: Sequence[Question]) -> MemoOracle | None:
    if not questions:
        return None
    return KeptOracle(LiveOracle(interviewer, questions), run.shards, run.exp.budget)


def _hunt(
    run: Run[GlitchHunterConfig], rows: Float[np.ndarray, "token d_model"], ids: tuple[int, ...], source: VerdictSource
) -> Hunted:
    with run.timer("first_graph"):
        graph = build_graph(rows, run.exp, run.seed)
    oracle = source.oracle
    if oracle is None:
        run.warn(_UNINFORMATIVE)
        return Hunted(ids, graph, source, None)
    with run.timer("hunt"), run.progress(run.exp.max_iterations, "hunting") as advance:

        def record(iteration: Iteration) -> None:
            run.records.append(_rows(iteration))
            advance(1)

        found = hunt(rows, ids, oracle, run.exp, run.seed, record, graph)
    _say(run, found, oracle)
    return Hunted(ids, graph, source, found)


def _say(run: Run[GlitchHunterConfig], found: Hunt, oracle: MemoOracle) -> None:
    if not found.is_complete:
        run.warn(f"The budget of {run.exp.budget} queries was spent before the hunt had ended.")
    if not found.found:
        run.note(f"No glitch token was found: all {len(oracle.answers)} tokens asked passed.")
    if len(found.iterations) == 1 and found.iterations[0].n_communities == 1:
        run.warn("The graph is a single community: the hunt could choose nothing.")


def _rows(iteration: Iteration) -> list[dict[str, Any]]:
    """A record for every community of an iteration."""
    return [
        {
            "item": f"{iteration.number}/{community}",
            "iteration": iteration.number,
            "community": community,
            "size": test.size,
            "sample": test.plan.n,
            "hits_needed": test.plan.hits_needed,
            "known": test.known,
            "asked": test.queried,
            "hits": test.hits,
            "kept": test.is_kept,
        }
        for community, test in enumerate(iteration.tests)
    ]


def _outcome(
    run: Run[GlitchHunterConfig],
    vocabulary: CensusVocabulary,
    hunted: Hunted,
    census: Census | None,
    xy: Float[np.ndarray, "token axis"],
) -> Outcome:
    arrays = _arrays(hunted, census, xy)
    found = hunted.hunt.found if hunted.hunt else ()
    plan = plan_sample(len(hunted.ids), run.exp)
    kept_by_mistake, kept_by_right = error_rates(plan.n, plan.hits_needed, run.exp.base_rate, run.exp.cluster_rate)
    details = {
        "iterations": [_summary(iteration) for iteration in hunted.hunt.iterations] if hunted.hunt else [],
        "rest": {"n_asked": hunted.hunt.n_rest, "n_hits": hunted.hunt.rest_hits} if hunted.hunt else None,
        "plan": {
            "n": plan.n,
            "hits_needed": plan.hits_needed,
            "kept_at_base_rate": kept_by_mistake,
            "kept_at_cluster_rate": kept_by_right,
        },
        "tasks": list(hunted.source.questions),
        "queries_per_token": hunted.source.oracle.queries_per_token if hunted.source.oracle else 1,
        "calibration": {task.value: item.sentence() for task, item in hunted.source.calibrations.items()},
        "census": census.run_id if census else None,
        "census_wordings": list(census.informative) if census else [],
        "projection": run.exp.projection.chosen(len(hunted.ids)).value,
        "tokens": {str(i): shown(vocabulary.names[i]) for i in found},
    }
    return Outcome(_hunt_metrics(hunted) | _against_census(hunted, census), arrays, details)


def _summary(iteration: Iteration) -> dict[str, Any]:
    return {
        "number": iteration.number,
        "n_tokens": len(iteration.ids),
        "k": iteration.k,
        "resolution": iteration.resolution,
        "n_edges": iteration.n_edges,
        "n_communities": iteration.n_communities,
        "n_kept": iteration.n_kept,
        "n_tokens_kept": len(iteration.kept),
        "n_queries": iteration.n_queries,
        "n_hits": iteration.n_hits,
        "quality": iteration.quality,
        "modularity": iteration.modularity,
    }


def _hunt_metrics(hunted: Hunted) -> Metrics:
    graph, found, oracle = hunted.first_graph, hunted.hunt, hunted.source.oracle
    metrics: Metrics = {
        "tokens": len(hunted.ids),
        "graph/edges": graph.n_edges,
        "graph/communities": graph.communities.n_communities,
        "graph/quality": graph.communities.quality,
        "graph/modularity": graph.communities.modularity,
        "informative": int(found is not None),
    }
    if found is None or oracle is None:
        return metrics
    every = len(hunted.ids) * oracle.queries_per_token
    return metrics | {
        "iterations": len(found.iterations),
        "complete": int(found.is_complete),
        "queries": oracle.n_queries,
        "queries_fraction": oracle.n_queries / every,
        "tokens_processed": oracle.tokens_processed,
        "found": len(found.found),
        "rest_asked": found.n_rest,
        "rest_hits": found.rest_hits,
    }


def _against_census(hunted: Hunted, census: Census | None) -> Metrics:
    """Precision over the tokens found that have a verdict, recall over the census's glitch tokens hunted among."""
    if census is None or hunted.hunt is None:
        return {}
    among = {i for i in hunted.ids if i in census.glitch}
    glitch = {i for i in census.glitch_ids if i in among}
    found = {i for i in hunted.hunt.found if i in among}
    right = len(found & glitch)
    metrics: Metrics = {"census/tested": len(among), "census/glitch_tokens": len(glitch)}
    for name, n in (("precision", len(found)), ("recall", len(glitch))):
        metrics |= dict(wilson(right, n).metrics(name)) if n else {name: None}
    metrics["f1"] = 2 * right / (len(found) + len(glitch)) if found or glitch else None
    return metrics


def _arrays(hunted: Hunted, census: Census | None, xy: Float[np.ndarray, "token axis"]) -> dict[str, np.ndarray]:
    ids = np.array(hunted.ids, dtype=np.int64)
    answers = hunted.source.oracle.answers if hunted.source.oracle is not None else {}
    queried_at = {token: place for place, token in enumerate(answers)}
    last = np.ones(len(ids), dtype=np.int64)
    is_kept = np.full(len(ids), -1, dtype=np.int8)
    iterations = hunted.hunt.iterations if hunted.hunt else ()
    for iteration in iterations:
        last[np.isin(ids, iteration.ids)] = iteration.number
    if iterations:
        is_kept = np.isin(ids, iterations[0].kept).astype(np.int8)
    arrays: dict[str, np.ndarray] = {
        "ids": ids,
        "xy": xy.astype(np.float32),
        "community": hunted.first_graph.communities.member_of,
        "is_kept": is_kept,
        "last_iteration": last,
        "asked_at": np.array([queried_at.get(i, -1) for i in hunted.ids], dtype=np.int64),
        "verdict": np.array([int(answers[i]) if i in answers else -1 for i in hunted.ids], dtype=np.int8),
    }
    if census is not None:
        verdicts = [int(census.glitch[i]) if i in census.glitch else -1 for i in hunted.ids]
        arrays["census"] = np.array(verdicts, dtype=np.int8)
    return arrays
