"""A census by the published rule: every token through three tasks, each asked in one wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.census.by_exposures import count_by_exposures
from experiments.census.choosing import choose_tokens, what_was_asked
from experiments.census.config import CensusConfig
from harness.glitch.census.calibration import summarise, well_known
from harness.glitch.census.interviewer import Interviewer, TokenAnswer
from harness.glitch.census.matching import RULE_VERSION
from harness.glitch.census.questions import Question, census_questions, question_with_examples
from harness.glitch.census.records import TokenRecord, make_record
from harness.glitch.census.rules import VerdictRule
from harness.glitch.census.symptoms import Symptom
from harness.glitch.census.token_types import TokenType
from harness.glitch.census.verdict import Calibration
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.measure.intervals import wilson
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Outcome, Run
from harness.tokens.prompts import WITH_EXAMPLES, Task
from harness.tokens.text import shown

_EXAMPLES = 8


@dataclass(frozen=True)
class CalibratedTask:
    """A calibration with a few of its answers."""

    calibration: Calibration
    examples: tuple[TokenAnswer, ...]


@dataclass(frozen=True)
class Found:
    """The answers for every token in order of id, and the cost."""

    records: tuple[TokenRecord, ...]
    tasks: tuple[Task, ...]
    """Those that every token was tested in."""
    n_positions: int
    n_queries: int


def calibrate_tasks(
    run: Run[CensusConfig], interviewer: Interviewer, questions: Mapping[Task, Question]
) -> tuple[dict[Task, Question], dict[Task, CalibratedTask]]:
    """Try every task on tokens the model knows well, and which question of each is asked; notes hold the results.

    Spelling and length are tried after examples as well where the model does not follow the plain question.
    """
    asked, found = dict(questions), {}
    for task, question in questions.items():
        found[task] = _calibrate(run, interviewer, question, f"calibration-{task.value}")
        if task in WITH_EXAMPLES and not found[task].calibration.is_informative:
            other = question_with_examples(task, run.tokenizer, run.facts, run.exp.bos)
            tried = _calibrate(run, interviewer, other, f"calibration-{task.value}-examples")
            if tried.calibration.is_informative:
                run.note(f"{task.value} is asked after solved examples of other words.")
                asked[task], found[task] = other, tried
    return asked, found


def _calibrate(run: Run[CensusConfig], interviewer: Interviewer, question: Question, key: str) -> CalibratedTask:
    task = question.task
    tokens = well_known(task, run.organism, run.pools)
    if not interviewer.fits(question):
        found = CalibratedTask(Calibration(task.value, 0, 0, tokens.where, fits=False), ())
    else:
        batch = Batch(key, tokens.ids, len(tokens.ids))
        with run.timer("calibrate"):
            (arrays,) = compute_batches(
                run, [batch], _answering(interviewer, [question]), no_rows, f"trying {task.value}"
            )
        answers = tuple(_answers(interviewer, question, arrays).values())
        result = summarise(task.value, [answer.judgement.passed for answer in answers], tokens.where)
        found = CalibratedTask(result, answers[:_EXAMPLES])
    examples = " (after examples)" if question.gives_away else ""
    run.note(found.calibration.sentence() + examples)
    return found


def ask_tokens(
    run: Run[CensusConfig],
    interviewer: Interviewer,
    questions: Mapping[Task, Question],
    calibrated: Mapping[Task, CalibratedTask],
    ids: Sequence[int],
) -> Found:
    """Test every token in the tasks that count (all that fit, where the config says so)."""
    informative = [task for task, found in calibrated.items() if found.calibration.is_informative]
    fitting = [task for task, found in calibrated.items() if found.calibration.fits]
    tasks = fitting if run.exp.ask_all else informative
    if not tasks:
        return Found((), (), 0, 0)
    used = [questions[task] for task in tasks]
    counts = None if run.facts.exposures is None else run.facts.exposures.total
    records: dict[str, list[TokenRecord]] = {}

    def rows(batch: Batch[list[int]], arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        answers = {question.task: _answers(interviewer, question, arrays) for question in used}
        records[batch.key] = [
            make_record(
                token,
                {task: answers[task][token] for task in tasks if token in answers[task]},
                questions,
                informative,
                interviewer.vocabulary,
                None if counts is None else int(counts[token]),
            )
            for token in batch.work
        ]
        return [record.as_row(tasks) for record in records[batch.key]]

    size = run.exp.shard
    batches = [Batch(f"tokens-{start:06d}", list(ids[start : start + size])) for start in range(0, len(ids), size)]
    batches = [Batch(batch.key, batch.work, len(batch.work)) for batch in batches]
    with run.timer("ask"):
        shards = compute_batches(run, batches, _answering(interviewer, used), rows, "asking about tokens")
    return Found(
        tuple(record for batch in batches for record in records[batch.key]),
        tuple(tasks),
        sum(int(shard["n_positions"].sum()) for shard in shards),
        sum(len(shard[f"{task.value}/ids"]) for shard in shards for task in tasks),
    )


def _answering(interviewer: Interviewer, questions: Sequence[Question]) -> Any:
    """A `compute` for `compute_batches`: the answers' ids, concatenated, with their lengths."""

    def compute(batch: Batch[Sequence[int]]) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        positions = []
        for question in questions:
            found = interviewer.ask(question, batch.work)
            answer_ids = [answer.answer_ids for answer in found.answers]
            arrays |= {
                f"{question.task.value}/ids": np.array([answer.token_id for answer in found.answers], dtype=np.int64),
                f"{question.task.value}/lengths": np.array([len(ids) for ids in answer_ids], dtype=np.int64),
                f"{question.task.value}/said": np.array([i for ids in answer_ids for i in ids], dtype=np.int64),
            }
            positions.append(found.n_positions)
        return arrays | {"n_positions": np.array(positions, dtype=np.int64)}

    return compute


def _answers(interviewer: Interviewer, question: Question, arrays: Mapping[str, np.ndarray]) -> dict[int, TokenAnswer]:
    name = question.task.value
    ends = np.cumsum(arrays[f"{name}/lengths"])
    answer_ids = arrays[f"{name}/said"].tolist()
    spans = zip(arrays[f"{name}/ids"].tolist(), (ends - arrays[f"{name}/lengths"]).tolist(), ends.tolist(), strict=True)
    return {token: interviewer.judge(question, token, answer_ids[start:end]) for token, start, end in spans}


def summarise_census(
    run: Run[CensusConfig],
    vocabulary: CensusVocabulary,
    questions: Mapping[Task, Question],
    calibrated: Mapping[Task, CalibratedTask],
    found: Found,
) -> Outcome:
    """Metrics, arrays and details of the answers."""
    informative = [task for task, item in calibrated.items() if item.calibration.is_informative]
    judged = [record for record in found.records if record.glitch is not None]
    glitches = [record for record in judged if record.glitch]
    _say(run, vocabulary, found, informative, judged, glitches)
    by_exposures = count_by_exposures(run, {record.token_id: bool(record.glitch) for record in judged})
    metrics: dict[str, float | int | str | None] = {
        "tested": len(judged),
        "glitch_tokens": len(glitches) if judged else None,
        **_rate("glitch_rate", len(glitches), len(judged)),
    }
    for task in questions:
        metrics |= _task_metrics(task, calibrated[task].calibration, found)
    for symptom in Symptom:
        metrics[f"symptom/{symptom.value}"] = sum(symptom in record.symptoms.values() for record in glitches)
    for kind in TokenType:
        metrics[f"type/{kind.value}"] = sum(record.token_type is kind for record in glitches)
    for row in by_exposures:
        if not row["planted"]:
            metrics |= _rate(f"p_glitch/exposures_{row['low']}_{row['high'] or ''}", row["glitch"], row["n"])
    details = {
        "verdict": VerdictRule.PUBLISHED.value,
        "rule_version": RULE_VERSION,
        "questions": {task.value: question.as_dict() for task, question in questions.items()},
        "informative": [task.value for task in informative],
        "calibration": {task.value: _calibration_details(item, vocabulary) for task, item in calibrated.items()},
        "is_complete": len(found.records) == len(vocabulary.testable_ids),
        "sample": what_was_asked(run, vocabulary),
        "tokens_per_query": found.n_positions / found.n_queries if found.n_queries else None,
        "n_special": len(vocabulary.special_ids),
        "n_without_token": len(vocabulary.unnamed_ids),
        "by_exposures": by_exposures,
    }
    return Outcome(metrics, _arrays(found), details)


def _say(
    run: Run[CensusConfig],
    vocabulary: CensusVocabulary,
    found: Found,
    informative: Sequence[Task],
    judged: Sequence[TokenRecord],
    glitches: Sequence[TokenRecord],
) -> None:
    """The plain sentences that go with the numbers."""
    if not informative:
        run.warn("No task is within this model's reach, so nothing can be said about its glitch tokens: no verdicts.")
    elif not glitches:
        run.note(f"No glitch tokens: all {len(judged)} tokens tested pass every informative task.")
    if vocabulary.unnamed_ids:
        run.note(
            f"{len(vocabulary.unnamed_ids)} embedding rows have no token of the tokenizer: they are asked for "
            "repetition only, and pass only if their id is said."
        )
    if len(found.records) < len(vocabulary.testable_ids):
        run.note(f"Tested: {what_was_asked(run, vocabulary)}; not the whole vocabulary.")
    silent = len(found.records) - len(judged)
    if silent and informative:
        run.note(f"{silent} tokens have no verdict: no informative task has a right answer for them.")


def _task_metrics(task: Task, calibration: Calibration, found: Found) -> dict[str, float | int | str | None]:
    answers = [record.answers[task] for record in found.records if task in record.answers]
    passed = sum(answer.judgement.passed for answer in answers)
    interval = calibration.interval
    metrics: dict[str, float | int | str | None] = {
        f"{task.value}/informative": int(calibration.is_informative),
        f"{task.value}/calibration_n": calibration.n,
        f"{task.value}/calibration_pass_rate": interval.mean if interval else None,
        f"{task.value}/calibration_pass_rate/ci_low": interval.low if interval else None,
        f"{task.value}/calibration_pass_rate/ci_high": interval.high if interval else None,
        f"{task.value}/asked": len(answers),
        f"{task.value}/passed": passed,
        **_rate(f"{task.value}/pass_rate", passed, len(answers)),
    }
    if task is Task.REPETITION and answers:
        loose = sum(answer.judgement.is_substring for answer in answers)
        metrics[f"{task.value}/pass_rate_any_substring"] = loose / len(answers)
    return metrics


def _rate(name: str, hits: int, n: int) -> dict[str, float | int | str | None]:
    if not n:
        return {name: None, f"{name}/ci_low": None, f"{name}/ci_high": None}
    return dict(wilson(hits, n).metrics(name))


def _calibration_details(item: CalibratedTask, vocabulary: CensusVocabulary) -> dict[str, Any]:
    calibration = item.calibration
    return {
        "passed": calibration.passed,
        "n": calibration.n,
        "where": calibration.where,
        "informative": calibration.is_informative,
        "sentence": calibration.sentence(),
        "examples": [
            {
                "id": answer.token_id,
                "token": shown(vocabulary.names[answer.token_id]),
                "answer": answer.text,
                "passed": answer.judgement.passed,
            }
            for answer in item.examples
        ],
    }


def _arrays(found: Found) -> dict[str, np.ndarray]:
    def flag(value: bool | None) -> int:
        return -1 if value is None else int(value)

    records = found.records
    arrays: dict[str, np.ndarray] = {
        "ids": np.array([record.token_id for record in records], dtype=np.int64),
        "glitch": np.array([flag(record.glitch) for record in records], dtype=np.int8),
    }
    for task in found.tasks:
        passed = [record.answers[task].judgement.passed if task in record.answers else None for record in records]
        arrays[f"{task.value}/passed"] = np.array([flag(value) for value in passed], dtype=np.int8)
    if records and all(record.exposures is not None for record in records):
        arrays["exposures"] = np.array([record.exposures for record in records], dtype=np.int64)
    return arrays


def measure_published(run: Run[CensusConfig]) -> Outcome:
    """Calibrate the tasks, ask every token, count."""

    questions: Mapping[Task, Question] = census_questions(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
    with run.answering() as model:
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
        questions, calibrations = calibrate_tasks(run, interviewer, questions)
        ids = choose_tokens(run, vocabulary)
        found = ask_tokens(run, interviewer, questions, calibrations, ids)
    return summarise_census(run, vocabulary, questions, calibrations, found)
