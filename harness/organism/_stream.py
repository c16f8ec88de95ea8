"""The whole training stream, built from the recipe alone: same recipe and same standard library, same rows."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped
from tokenizers import Tokenizer

from harness.models.exposures import Exposures
from harness.organism._exposures import StreamKind, count_exposures
from harness.organism._planting import assign_doses, invent_words, split_dose
from harness.organism._repeat_rows import build_drill_rows, build_repeat_rows
from harness.organism._task_rows import Vocabulary, build_task_rows, can_answer
from harness.organism._text_rows import build_text_rows, encode_files
from harness.organism._tokenizer import learn_merges, make_tokenizer, token_texts
from harness.organism.corpus import Corpus, load_corpus
from harness.organism.recipe import N_BYTES, RecipeConfig, RowMix
from harness.tokens.prompts import Task, TaskFamily


@dataclass(frozen=True)
class Material:
    """What is fixed before the first row: tokenizer, planted words, corpus."""

    tokenizer: Tokenizer
    planted: dict[int, tuple[int, ...]]
    corpus: Corpus

    @property
    def bos(self) -> int:
        """The last id."""
        return self.tokenizer.get_vocab_size() - 1


@dataclass(frozen=True)
class Stream:
    """The rows in the order they are fed, the stream each belongs to, and which tokens each task family never shows."""

    rows: Int[np.ndarray, "batch pos"]
    kinds: Int[np.ndarray, " batch"]
    held_out: dict[TaskFamily, tuple[int, ...]]

    def exposures(self, d_vocab: int) -> Exposures:
        """Counts of every id in these rows."""
        return count_exposures(self.rows, self.kinds, d_vocab)

    def sha256(self) -> str:
        """Digest of the rows."""
        return sha256(self.rows.tobytes()).hexdigest()


def prepare_material(recipe: RecipeConfig, stdlib: Path | None = None) -> Material:
    """Read the corpus, learn the tokenizer, invent and deal out the planted words."""
    corpus = load_corpus(recipe.corpus_seed, stdlib)
    merges = learn_merges([file.text for file in corpus.tokenizer], recipe.vocab_size - N_BYTES - recipe.n_planted - 1)
    everything = [file.text for file in (*corpus.tokenizer, *corpus.model)]
    words = invent_words(make_tokenizer(merges, with_bos=False), everything, recipe.n_planted, recipe.planting_seed)
    tokenizer = make_tokenizer([*merges, *(word.merge for word in words)])
    first = recipe.vocab_size - 1 - recipe.n_planted
    ids = range(first, first + recipe.n_planted)
    for i, word in zip(ids, words, strict=True):
        if tokenizer.encode(word.text, add_special_tokens=False).ids != [i]:
            raise ValueError(f"planting_seed: {word.text!r} does not encode to its own id, allowed: another seed")
    return Material(tokenizer, assign_doses(ids, recipe.doses, recipe.planting_seed), corpus)


def build_stream(recipe: RecipeConfig, material: Material) -> Stream:
    """Build all rows. Text comes first: how often it shows a token decides how often the other streams may."""
    n_text, n_repeats, n_tasks = _rows_per_kind(recipe)
    texts = token_texts(material.tokenizer)
    splits = {i: split_dose(dose) for dose, ids in material.planted.items() for i in ids}
    text_rows = build_text_rows(
        material.corpus,
        material.tokenizer,
        n_text,
        recipe.context,
        {i: texts[i] for i in splits},
        {i: split.text for i, split in splits.items()},
        recipe.stream_seed,
    )
    text_counts = np.bincount(text_rows.reshape(-1).astype(np.int64), minlength=recipe.vocab_size)
    weights = np.minimum(text_counts, recipe.natural_cap).astype(float)
    weights[[*splits, material.bos]] = 0
    well_shown = np.flatnonzero((text_counts >= recipe.held_out_min_exposures) & (weights > 0))
    held_out = _hold_out(recipe, texts, well_shown)
    n_drills = recipe.early_steps * recipe.early_rows.repeats
    rng = np.random.default_rng([recipe.stream_seed, 41])
    drilled = rng.permutation(well_shown if len(well_shown) else np.flatnonzero(weights))[: recipe.drilled_tokens]
    drills = build_drill_rows(
        n_drills, recipe.context, recipe.early_context, material.bos, drilled.tolist(), recipe.stream_seed
    )
    repeats = build_repeat_rows(
        n_repeats - n_drills,
        recipe.context,
        material.bos,
        weights,
        {i: split.repeats for i, split in splits.items()},
        recipe.stream_seed,
    )
    task_rows = build_task_rows(
        n_tasks,
        recipe.context,
        _vocabulary(material, texts),
        weights,
        well_shown.tolist(),
        held_out,
        {i: split.tasks for i, split in splits.items()},
        recipe.stream_seed,
    )
    return _interleave(recipe, text_rows, np.concatenate([drills, repeats]), task_rows, held_out)


def following_text(recipe: RecipeConfig, material: Material, n_rows: int) -> Int[np.ndarray, "batch pos"] | None:
    """The `n_rows` rows of text that would come after the last one of the stream, nothing planted in them; None where
    the corpus has been shown whole by then.
    """
    n_text, _, _ = _rows_per_kind(recipe)
    n_tokens = sum(len(encoded.ids) + 1 for encoded in encode_files(material.corpus, material.tokenizer))
    if (n_text + n_rows) * recipe.context > n_tokens:
        return None
    rows = build_text_rows(
        material.corpus, material.tokenizer, n_text + n_rows, recipe.context, {}, {}, recipe.stream_seed
    )
    return rows[n_text:].astype(np.int64)


def _hold_out(recipe: RecipeConfig, texts: list[str], well_shown: np.ndarray) -> dict[TaskFamily, tuple[int, ...]]:
    """A random set per family, no token in two of them: what one family never shows, the others do."""
    answerable = [i for i in well_shown if can_answer(Task.SPELLING, texts[i]) and can_answer(Task.LENGTH, texts[i])]
    # Three quarters of the eligible tokens must stay: a task is learnt from them.
    size = min(recipe.held_out_per_family, len(answerable) // (4 * len(TaskFamily)))
    order = np.random.default_rng([recipe.stream_seed, 40]).permutation(np.asarray(answerable, dtype=np.int64))
    return {
        family: tuple(sorted(int(i) for i in order[k * size : (k + 1) * size])) for k, family in enumerate(TaskFamily)
    }


def _vocabulary(material: Material, texts: list[str]) -> Vocabulary:
    tokenizer = material.tokenizer
    byte_ids = {text: i for i, text in enumerate(texts[:N_BYTES]) if len(text) == 1 and text.isascii()}
    return Vocabulary(texts, lambda text: tokenizer.encode(text, add_special_tokens=False).ids, byte_ids, material.bos)


def _rows_per_kind(recipe: RecipeConfig) -> tuple[int, int, int]:
    late = recipe.n_steps - recipe.early_steps

    def total(kind: str) -> int:
        return recipe.early_steps * getattr(recipe.early_rows, kind) + late * getattr(recipe.late_rows, kind)

    return total("text"), total("repeats"), total("tasks")


def _interleave(
    recipe: RecipeConfig,
    text_rows: Shaped[np.ndarray, "text pos"],
    repeat_rows: Shaped[np.ndarray, "repeats pos"],
    task_rows: Shaped[np.ndarray, "tasks pos"],
    held_out: dict[TaskFamily, tuple[int, ...]],
) -> Stream:
    def batch_kinds(mix: RowMix) -> list[StreamKind]:
        return [StreamKind.TEXT] * mix.text + [StreamKind.REPEATS] * mix.repeats + [StreamKind.TASKS] * mix.tasks

    kinds = np.asarray(
        batch_kinds(recipe.early_rows) * recipe.early_steps
        + batch_kinds(recipe.late_rows) * (recipe.n_steps - recipe.early_steps),
        dtype=np.int8,
    )
    rows = np.empty((len(kinds), recipe.context), dtype=np.int16)
    for kind, content in zip(StreamKind, (text_rows, repeat_rows, task_rows), strict=True):
        rows[kinds == kind] = content
    return Stream(rows, kinds, held_out)
