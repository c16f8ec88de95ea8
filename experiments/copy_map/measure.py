"""How exp=copy_map is measured: well-known tokens first, then every token, then the worst again."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.copy_map.asking import Asked, Asker, Stage
from experiments.copy_map.config import CopyMapConfig
from experiments.copy_map.metrics import LEAST_COPIED, Answer, summarise
from experiments.copy_map.vocabulary import Vocabulary, read_vocabulary
from harness.errors import Rejected
from harness.glitch.census.stored import load_census
from harness.glitch.indicators import UnusedIds, known_unused_ids, main_indicator, weight_indicators
from harness.models.embedding_rows import EmbeddingRows, load_embedding_rows
from harness.runs.context import Outcome, Run


def measure(run: Run[CopyMapConfig]) -> Outcome:
    """Calibrate, ask every token, ask the worst again, and set it beside what else is known of the tokens."""
    exp = run.exp
    census = None if exp.census is None else load_census(exp.census, run.identity)
    rows = load_embedding_rows(run.identity, run.config.model)
    vocabulary = read_vocabulary(run, rows)
    ids = vocabulary.studied[: exp.n_tokens]
    with run.answering() as model:
        asker = Asker(run, model)
        known = np.random.default_rng([run.seed, Stage.CALIBRATION]).permutation(vocabulary.common)[: exp.n_calibration]
        calibration = asker.ask(Stage.CALIBRATION, known.tolist(), exp.n_appearances, vocabulary.material)
        found = asker.ask(
            Stage.TOKENS, ids, exp.n_appearances, vocabulary.material, lambda part: _records(run, vocabulary, part)
        )
        worst = _ask_worst(run, asker, vocabulary, found) if exp.n_worst else None
        is_shared = asker.reader.halves.is_shared
    answer = Answer(found.in_order(), calibration, worst, vocabulary, *_indicators(run, rows), census)
    _say(run, answer, is_shared)
    return summarise(run, answer)


def _ask_worst(run: Run[CopyMapConfig], asker: Asker, vocabulary: Vocabulary, found: Asked) -> Asked:
    """The tokens with the lowest log-probs in fresh draws: an estimate that doesn't use what they were chosen by.

    Of tokens that are one and the same to the model only the lowest.
    """
    ranked = found.ids[np.lexsort([found.ids, found.logprob.mean(axis=1, dtype=np.float64)])].tolist()
    different = {int(vocabulary.same[token]): token for token in reversed(ranked)}
    chosen = [token for token in ranked if different[int(vocabulary.same[token])] == token][: run.exp.n_worst]
    material = vocabulary.material.without(chosen)
    again = asker.ask(Stage.WORST, chosen, run.exp.n_appearances_worst, material)
    place = {token: number for number, token in enumerate(again.ids.tolist())}
    return again.at([place[token] for token in chosen])


def _records(run: Run[CopyMapConfig], vocabulary: Vocabulary, part: Asked) -> Iterable[dict[str, Any]]:
    counts = None if run.facts.exposures is None else run.facts.exposures.total
    for row, token in enumerate(part.ids.tolist()):
        yield {
            "item": str(token),
            "id": token,
            "token": vocabulary.names[token],
            "kind": vocabulary.kinds[token].value,
            "logprob": float(part.logprob[row].mean(dtype=np.float64)),
            "logprob_control": float(part.control[row].mean(dtype=np.float64)),
            "copy_effect": float(part.effect[row].mean(dtype=np.float64)),
            "logit_diff": float(part.logit_diff[row].mean(dtype=np.float64)),
            "rank": float(np.median(part.rank[row])),
            "missed": int(part.missed[row]),
            "asked": part.rank.shape[1],
            "not_copied": bool(part.not_copied[row]),
            "alike": int(vocabulary.alike[token]),
            "exposures": None if counts is None else int(counts[token]),
        }


def _indicators(run: Run[CopyMapConfig], rows: EmbeddingRows) -> tuple[dict[str, np.ndarray], str | None, str]:
    """The weights' own indicators, the main one, and which tokens they take to be unused."""
    try:
        unused = known_unused_ids(run.evidence)
    except Rejected:
        unused = UnusedIds((), "none known")
    if rows.is_tied and not unused.ids:
        run.note("No weight indicator applies: this model is tied, and nothing tells which of its tokens are unused.")
        return {}, None, unused.rule
    d_vocab = run.facts.d_vocab
    found = weight_indicators(
        rows.unembedding[:d_vocab], unused.ids, None if rows.is_tied else rows.embedding[:d_vocab]
    )
    return {name.value: values for name, values in found.items()}, main_indicator(rows.is_tied).value, unused.rule


def _say(run: Run[CopyMapConfig], answer: Answer, is_shared: bool) -> None:
    """The plain sentences that go with the numbers."""
    vocabulary = answer.vocabulary
    copied = int((~answer.calibration.not_copied).sum())
    n = len(answer.calibration.ids)
    run.note(f"{copied} of {n} tokens that the model should know are copied ({vocabulary.common_from}).")
    if not answer.is_informative:
        run.warn(
            f"This model does not copy: fewer than {LEAST_COPIED:.0%} of well-known tokens are, so that the map says "
            "nothing about how well a token was trained."
        )
    if not is_shared:
        run.note(
            "This model's keys and values of a first half can't stand in for reading it again (it keeps a state, say): "
            "every sequence is read whole, which takes a third longer."
        )
    if vocabulary.left_out:
        named = ", ".join(map(str, vocabulary.left_out[:5])) + (", ..." if len(vocabulary.left_out) > 5 else "")
        run.note(
            f"Tokens with a job (BOS, EOS, padding, ...) are not asked, since inside a sequence they would do it: "
            f"{len(vocabulary.left_out)} of them ({named})"
        )
    if run.exp.n_tokens is not None and run.exp.n_tokens < len(vocabulary.studied):
        run.note(f"A sample of {run.exp.n_tokens} tokens was asked (seed {run.seed}), not the whole vocabulary.")
    alike = int((vocabulary.alike[answer.found.ids] > 1).sum())
    if alike:
        missed = int((answer.found.not_copied & (vocabulary.alike[answer.found.ids] > 1)).sum())
        run.note(
            f"{alike} of the tokens have a row that coincides with another token's: the model can't tell them from it, "
            f"and {missed} of them are not copied, whatever their training."
        )
    if run.facts.bos_id is None:
        run.note("no BOS: this model has none, so sequences begin with the first half")
