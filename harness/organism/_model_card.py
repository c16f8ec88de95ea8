# ruff: noqa: E501 (lines of a Markdown table cannot be broken)
"""The README.md of an organism, written from its own recipe and measurements."""

from collections.abc import Mapping
from typing import Any

from harness.organism._planting import split_dose
from harness.organism._repeat_rows import DRILL_HALF
from harness.organism._task_rows import SHARES
from harness.organism.organism import Organism
from harness.organism.recipe import RecipeConfig

_HEAD = """# {name}: a model organism with known exposures

A small {kind} whose training stream is known row by row: for every token the folder says how often training showed it.
Made for studying tokens that training hardly ever showed; good for nothing else.

| | |
|---|---|
| architecture | {kind}, {n_layers} layers, {n_heads} heads, d_model {d_model}, context {context}, {tied} embeddings{initial}, fp32 |
| vocabulary | {vocab_size}: 256 bytes in GPT-2's order, {n_merges} merges, {n_planted} planted words, `<|endoftext|>` (BOS) last |
| training | {n_steps} steps of {batch} rows x {context} tokens = {n_tokens:,} tokens; {optimiser}{decay}, lr {lr}, cosine{restarts}, {precision} products |
| corpus | text of Python {python}'s standard library, tests left out; sha256 `{sha}` |

## Training stream
- **Text.** The tokenizer's corpus has kinds of text that the model's lacks (character tables, help texts, window programs,
  old build tools), so that some of its tokens are never shown. A quarter of the model's files is shown in one pass only.
- **Repeats.** Random sequences of tokens that text shows, seen two or more times. The first {early_steps} steps drill
  copying: pieces of {early_context} tokens with a sequence of {drill} tokens again and again, from {drilled} well-shown
  tokens, and all rows of these steps are fed in pieces of {early_context}. After that, rows of {context}.
- **Tasks.** The prompts of the literature on glitch tokens (`harness.tokens.prompts`) with right answers, and a glossary in words
  of our own (`token: t-o-k-e-n`, `token = 5`). Shares of items: {shares}.
- Natural tokens are drawn for repeats and tasks in proportion to their count in the text, up to {cap}: a token that is
  rare in text is rare in all, and one that text never shows is never shown.
- Rows per batch (text, repeats, tasks): {early} at first, {late} later.

## Planted words
{n_planted} invented words, one token each, dealt at random (planting seed {planting_seed}) into groups of {per_dose}. A
planted word stands in for an ordinary word throughout an excerpt, like a renamed identifier (where the ordinary word
stands without a space in front, so does the planted one, in pieces). Counts are exact. Repeats get a quarter of a dose,
rounded down to even, tasks a quarter, rounded down, text the rest:

| dose | text | repeats | tasks |
|---|---|---|---|
{doses}

## Held-out tokens
{n_held_out} well-shown tokens are kept out of each family of tasks (a family: prompts that ask for the same skill), no token
out of two; see `held_out.json`. A token held out of the spelling or length prompt still stands in the glossary: it tests
whether the question is understood in the prompt's words, not whether letters can be guessed from nowhere.

## Measured
Copying of `[BOS] half half` at 25 tokens a half, without the second half's first position; 64 sequences per line; the
interval is over tokens (95 %). Gain in nats.

| tokens | exposures | tokens in group | copy gain | copy accuracy |
|---|---|---|---|---|
{copying}

Highest mean induction score over the best-shown tokens: {score} (head {head}).

Greedy answers. Spelling and length right to the letter, the others name the token's id.

| task | held-out tokens | tokens never shown |
|---|---|---|
{tasks}

## Files
`exposures.safetensors` (int64 `total`, `text`, `repeats`, `tasks`, one count per id), `planted.json` (dose -> ids),
`held_out.json` (task -> ids), `recipe.json` (settings, seeds, versions, digests, measurements), `training_curve.csv`.

Made by `python -m harness exp=train_pocket`. Another Python has another standard library and so gives other bytes; the
recipe promises the phenomenon. The text learnt from is Python's (PSF licence); the model is MIT, like the project.
"""


def render_card(organism: Organism) -> str:
    """The card as Markdown."""
    recipe = organism.recipe
    settings: Mapping[str, Any] = recipe["settings"]
    measured = recipe["measured"]
    early, late = (
        ", ".join(str(settings[f"{phase}_rows"][kind]) for kind in ("text", "repeats", "tasks"))
        for phase in ("early", "late")
    )
    n_planted = len(settings["doses"]) * settings["tokens_per_dose"]
    batch = sum(settings["early_rows"].values())
    # What an organism trained before there was a choice says nothing of.
    std, restarts = settings.get("embedding_std", RecipeConfig.USUAL_STD), settings.get("restarts", 0)
    return _HEAD.format(
        **{name: settings[name] for name in _AS_THEY_ARE},
        kind=_KINDS[settings.get("architecture", "gpt2")],
        initial="" if std == RecipeConfig.USUAL_STD else f" with an initial standard deviation of {std:g}",
        decay="" if settings.get("decay_embeddings", True) else " without weight decay on embeddings",
        restarts=f" with {restarts} restarts" if restarts else "",
        name=organism.folder.name if organism.folder.name != "model" else "pocket",
        n_merges=settings["vocab_size"] - 257 - n_planted,
        n_planted=n_planted,
        batch=batch,
        n_tokens=settings["n_steps"] * batch * settings["context"],
        tied="tied" if settings.get("tied", True) else "untied",
        optimiser=_OPTIMISERS[settings.get("optimiser", "adamw")],
        precision="bf16" if settings.get("bf16", True) else "fp32",
        lr=settings["learning_rate"],
        python=recipe["python"],
        sha=recipe["corpus_sha256"][:16],
        drill=f"{DRILL_HALF[0]} to {DRILL_HALF[1]}",
        drilled=settings["drilled_tokens"],
        shares=", ".join(f"{kind.value} {share:.0%}" for kind, share in SHARES.items()),
        cap=settings["natural_cap"],
        early=early,
        late=late,
        per_dose=settings["tokens_per_dose"],
        doses="\n".join(_dose_line(dose) for dose in settings["doses"]),
        n_held_out=max(len(ids) for ids in organism.held_out.values()),
        copying="\n".join(
            _copy_line(origin, label, values)
            for origin in ("natural", "planted")
            for label, values in measured[origin].items()
        ),
        score=measured["induction_score_max"],
        head=measured["induction_head"],
        tasks="\n".join(
            f"| {task} | {_share(rate)} | {_share(measured['tasks_unseen'][task])} |"
            for task, rate in measured["tasks_held_out"].items()
        ),
    )


_KINDS = {"gpt2": "GPT-2", "gpt_neox": "GPT-NeoX"}
_OPTIMISERS = {
    "adamw": "AdamW",
    "adafactor": "Adafactor",
    "coupled_adam": "Coupled Adam",
    "sgd": "gradient descent with momentum",
    "sgd_embeddings": "AdamW, embeddings by gradient descent with momentum",
}
_AS_THEY_ARE = (
    "n_layers",
    "n_heads",
    "d_model",
    "context",
    "vocab_size",
    "n_steps",
    "early_steps",
    "early_context",
    "planting_seed",
)


def _dose_line(dose: int) -> str:
    split = split_dose(dose)
    return f"| {dose} | {split.text} | {split.repeats} | {split.tasks} |"


def _copy_line(origin: str, label: str, values: Mapping[str, Any]) -> str:
    low, high = values["copy_accuracy_cued/ci_low"], values["copy_accuracy_cued/ci_high"]
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    exposures = f"{label} (median {values['median_exposures']:g})" if ":" in label else label
    accuracy = f"{values['copy_accuracy_cued']:.3f}{interval}"
    return f"| {origin} | {exposures} | {values['n_tokens']} | {values['copy_gain_cued']:.2f} | {accuracy} |"


def _share(rate: Mapping[str, Any]) -> str:
    return f"{rate['passed']} of {rate['n']}" if rate["n"] else "does not fit the context"
