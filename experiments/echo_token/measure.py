"""Echoing tokens in every setting, and counting what came back."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from experiments.echo_token.config import EchoTokenConfig
from harness.glitch.census.questions import Question, leading_ids
from harness.glitch.census.verdict import LEAST_PASS_RATE
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.measure.intervals import Interval, wilson, wilson_clustered
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.decoding import Choose, decode, likeliest
from harness.models.answers.sampling import Cutoff, EachItsOwn, NoRepeatedNgrams, Sampled
from harness.models.answers.stopping import EndOfLine, LineTable, UntilTarget
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Outcome, Run
from harness.tokens.lookup import find_token, note_of_form
from harness.tokens.prompts import Task, input_output_template
from harness.tokens.text import shown

_SHARD = 16
_INSTEAD = 3


@dataclass(frozen=True)
class Setting:
    """One way to decode. `counts_prompt`: the article's ban on repeated n-grams, which also looks at the prompt."""

    name: str
    is_sampled: bool
    counts_prompt: bool


SETTINGS = (
    Setting("greedy", False, False),
    Setting("sampled", True, False),
    Setting("article_greedy", False, True),
    Setting("article_sampled", True, True),
)


@dataclass(frozen=True)
class _Tested:
    """The tokens of one pool that are put to the test."""

    pool: str
    label: str
    n_ids: int
    ids: tuple[int, ...]


@dataclass(frozen=True)
class _Part:
    """What is asked in one setting: every token as often as it is answered."""

    setting: Setting
    tokens: tuple[int, ...]


class _Echoer:
    """The model with everything an answer needs."""

    def __init__(self, run: Run[EchoTokenConfig], model: CausalModel) -> None:
        self.run, self.model, self.tokenizer = run, model, run.tokenizer
        self.vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        self.table = LineTable.build(self.vocabulary.texts, run.facts.special_ids, self.model.device)
        template = input_output_template(run.exp.n_shots)
        front = leading_ids(run.tokenizer, run.facts, run.exp.bos)
        self.question = Question(
            template.task,
            template.version,
            template.source,
            template.text,
            False,
            front,
            run.exp.max_new_tokens,
            closing=template.closing,
        )

    @property
    def n_needed(self) -> int:
        """Tokens of a prompt and its answer."""
        return len(self.question.prompt(0, self.tokenizer)) + self.question.max_new_tokens

    @property
    def fits(self) -> bool:
        """Whether they fit the model's window."""
        return self.model.n_ctx is None or self.n_needed <= self.model.n_ctx

    def n_trials(self, setting: Setting) -> int:
        """Answers for each token."""
        return int(self.run.exp.n_seeds) if setting.is_sampled else 1

    def echo(self, tokens: Sequence[int], settings: Sequence[Setting]) -> dict[str, list[list[tuple[int, ...]]]]:
        """The model's answers for every token in every setting, one for each trial.

        All settings are answered together, so that a prompt is read once for all of them.
        """
        parts = [
            _Part(setting, tuple(token for token in tokens for _ in range(self.n_trials(setting))))
            for setting in settings
        ]
        asked = [token for part in parts for token in part.tokens]
        prompts = [self.question.prompt(token, self.tokenizer) for token in asked]
        chooses, start = [], 0
        for part in parts:
            end = start + len(part.tokens)
            chooses.append(self._choose(part, prompts[start:end]))
            start = end
        targets = torch.tensor(asked, dtype=torch.long, device=self.model.device)
        stop = UntilTarget(targets, EndOfLine(self.table, len(asked)))
        choose = EachItsOwn([(len(part.tokens), one) for part, one in zip(parts, chooses, strict=True)])
        room = self.question.max_new_tokens
        answers = iter(decode(self.model, prompts, room, stop, choose, batch_size=self.run.exp.batch_size).tokens)
        return {
            part.setting.name: [[next(answers) for _ in range(self.n_trials(part.setting))] for _ in tokens]
            for part in parts
        }

    def _choose(self, part: "_Part", prompts: Sequence[Sequence[int]]) -> Choose:
        exp, n = self.run.exp, self.n_trials(part.setting)
        choose: Choose = likeliest
        if part.setting.is_sampled:
            # The same draws with and without the article's ban: the settings differ in nothing else.
            seeds = [(self.run.seed, token, number % n) for number, token in enumerate(part.tokens)]
            choose = Sampled(Cutoff(exp.top_k, exp.top_p, exp.temperature), seeds, exp.max_new_tokens)
        if not exp.no_repeat_ngram:
            return choose
        contexts = prompts if part.setting.counts_prompt else [()] * len(prompts)
        return NoRepeatedNgrams(choose, exp.no_repeat_ngram, contexts)

    def succeeds(self, token: int, answer_ids: Sequence[int]) -> bool:
        """Whether the token came first, or its exact text up to the closing mark."""
        if answer_ids and answer_ids[0] == token:
            return True
        text = self.vocabulary.text(token)
        return text is not None and self.inside(answer_ids) == text

    def inside(self, answer_ids: Sequence[int]) -> str:
        """The answer's text up to the closing mark."""
        return self.vocabulary.decode(answer_ids, self.tokenizer).split(self.question.closing)[0].rstrip("\n")


def measure(run: Run[EchoTokenConfig]) -> Outcome:
    """Echo every token of every pool in every setting; a note names prompts that do not fit the window."""
    with run.answering() as model:
        echoer = _Echoer(run, model)
        tested = _choose_tokens(run)
        settings = [setting for setting in SETTINGS if run.exp.no_repeat_ngram or not setting.counts_prompt]
        if not echoer.fits:
            window = echoer.model.n_ctx
            run.warn(
                f"The echo test is uninformative for this model: {run.exp.n_shots} trials and the answer are "
                f"{echoer.n_needed} tokens, the window holds {window}. exp.n_shots makes the prompt shorter."
            )
            return Outcome({}, {}, _details(run, echoer, tested, settings, None))
        successes = {pool.pool: _echo_pool(run, echoer, pool, settings) for pool in tested}
    return _summarise(run, echoer, tested, settings, successes)


def _choose_tokens(run: Run[EchoTokenConfig]) -> list[_Tested]:
    if run.exp.token is not None:
        token = find_token(run.exp.token, run.facts.d_vocab, run.tokenizer)
        form = note_of_form(run.exp.token, token, run.tokenizer)
        if form is not None:
            run.note(form)
        return [_Tested("token", f"id {token}", 1, (token,))]
    pools = {name: (pool.label, pool.ids) for name, pool in run.pools.items()}
    for pool in run.pools.values():
        for note in pool.notes:
            run.note(note)
    if run.organism is not None and run.organism.held_out.get(Task.MAGIKARP_INPUT_OUTPUT.value):
        held_out = run.organism.held_out[Task.MAGIKARP_INPUT_OUTPUT.value]
        pools["held_out"] = ("shown often, held out of this test's training", held_out)
    tested = []
    for name, (label, ids) in pools.items():
        rng = np.random.default_rng([run.seed, zlib.crc32(name.encode())])
        drawn = rng.permutation(np.asarray(ids, dtype=np.int64))[: run.exp.n_tokens]
        tested.append(_Tested(name, label, len(ids), tuple(sorted(int(i) for i in drawn))))
    return tested


def _echo_pool(
    run: Run[EchoTokenConfig], echoer: _Echoer, pool: _Tested, settings: Sequence[Setting]
) -> dict[str, np.ndarray]:
    """Successes [token] of every setting."""

    def compute(batch: Batch[tuple[int, ...]]) -> dict[str, np.ndarray]:
        arrays = {}
        room = run.exp.max_new_tokens
        answers = echoer.echo(batch.work, settings)
        for setting in settings:
            answer_ids = np.full((len(batch.work), echoer.n_trials(setting), room), -1, dtype=np.int64)
            for row, trials in enumerate(answers[setting.name]):
                for trial, ids in enumerate(trials):
                    answer_ids[row, trial, : len(ids)] = ids
            arrays[setting.name] = answer_ids
        return arrays

    def rows(batch: Batch[tuple[int, ...]], arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        return [
            _row(echoer, pool, token, {setting.name: arrays[setting.name][row] for setting in settings})
            for row, token in enumerate(batch.work)
        ]

    batches = [
        Batch(f"{pool.pool}-{start:05d}", ids := pool.ids[start : start + _SHARD], len(ids))
        for start in range(0, len(pool.ids), _SHARD)
    ]
    with run.timer("echo"):
        shards = compute_batches(run, batches, compute, rows, f"echoing {pool.pool} tokens")
    found = {}
    for setting in settings:
        answer_ids = np.concatenate([shard[setting.name] for shard in shards])
        hits = [
            [echoer.succeeds(token, _ids(trial)) for trial in trials]
            for token, trials in zip(pool.ids, answer_ids, strict=True)
        ]
        found[setting.name] = np.array(hits, dtype=np.int64).sum(axis=1)
    return found


def _ids(trial: np.ndarray) -> list[int]:
    return [int(i) for i in trial if i >= 0]


def _row(echoer: _Echoer, pool: _Tested, token: int, answer_ids: Mapping[str, np.ndarray]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "item": f"{pool.pool}/{token}",
        "pool": pool.pool,
        "id": token,
        "token": shown(echoer.vocabulary.names[token]),
    }
    for name, trials in answer_ids.items():
        answers = [_ids(trial) for trial in trials]
        wrong = Counter(echoer.inside(ids) for ids in answers if not echoer.succeeds(token, ids))
        row[f"{name}/successes"] = len(answers) - sum(wrong.values())
        row[f"{name}/trials"] = len(answers)
        row[f"{name}/instead"] = [[text, count] for text, count in wrong.most_common(_INSTEAD)]
    return row


def _summarise(
    run: Run[EchoTokenConfig],
    echoer: _Echoer,
    tested: Sequence[_Tested],
    settings: Sequence[Setting],
    successes: Mapping[str, Mapping[str, np.ndarray]],
) -> Outcome:
    metrics: dict[str, float | int | str | None] = {}
    arrays: dict[str, np.ndarray] = {}
    for pool in tested:
        arrays[f"{pool.pool}/ids"] = np.array(pool.ids, dtype=np.int64)
        metrics[f"{pool.pool}/n_tokens"] = len(pool.ids)
        for setting in settings:
            hits = successes[pool.pool][setting.name]
            arrays[f"{pool.pool}/{setting.name}/successes"] = hits
            metrics |= _success(pool.ids, hits, echoer.n_trials(setting)).metrics(f"{pool.pool}/{setting.name}/success")
    calibration = None
    known = next((pool for pool in ("held_out", "common") if pool in successes), None)
    if known is not None:
        hits = successes[known]["greedy"]
        rate = float(hits.mean())
        calibration = {"pool": known, "n": len(hits), "rate": rate, "informative": rate >= LEAST_PASS_RATE}
        metrics["informative"] = int(rate >= LEAST_PASS_RATE)
        if rate < LEAST_PASS_RATE:
            run.warn(
                f"The echo test is uninformative for this model: {int(hits.sum())} of {len(hits)} {known} tokens are "
                f"repeated greedily, needed: {LEAST_PASS_RATE}"
            )
    if any(setting.counts_prompt for setting in settings):
        run.note(
            "article settings: the ban on repeated n-grams counts the prompt, which already holds the right answer; "
            "what they show is the ban, not the model."
        )
    return Outcome(metrics, arrays, _details(run, echoer, tested, settings, calibration))


def _success(ids: Sequence[int], hits: np.ndarray, n_trials: int) -> Interval:
    """Wilson over tokens (greedy), over tokens with several answers each (sampled), or over one token's answers."""
    if n_trials == 1:
        return wilson(int(hits.sum()), len(hits))
    if len(ids) == 1:
        return wilson(int(hits[0]), n_trials)
    return wilson_clustered(hits.astype(np.float64) / n_trials, n_trials)


def _details(
    run: Run[EchoTokenConfig],
    echoer: _Echoer,
    tested: Sequence[_Tested],
    settings: Sequence[Setting],
    calibration: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "n_shots": run.exp.n_shots,
        "n_seeds": run.exp.n_seeds,
        "fits": echoer.fits,
        "n_needed": echoer.n_needed,
        "n_ctx": echoer.model.n_ctx,
        "prompt": echoer.question.as_dict(),
        "settings": [setting.name for setting in settings],
        "pools": {pool.pool: {"label": pool.label, "n_ids": pool.n_ids, "n_tested": len(pool.ids)} for pool in tested},
        "calibration": calibration,
        "device": str(torch.device(echoer.model.device).type),
    }
