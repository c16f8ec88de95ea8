"""From a trained model to the folder that ships: weights, tokenizer, exposures, what was measured."""

import csv
import io
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from transformers import PreTrainedModel

from harness.files import folder_of_whole_files, write_whole
from harness.measure.heads import Head
from harness.models.organism_files import EXPOSURES_FILE, HELD_OUT_FILE, PLANTED_FILE, RECIPE_FILE
from harness.organism._model_card import render_card
from harness.organism._probes import CopyProbe, PassRate, probe_copying, probe_task
from harness.organism._stream import Material, Stream
from harness.organism._tokenizer import save_tokenizer, token_texts
from harness.organism.organism import load_organism
from harness.organism.recipe import RecipeConfig
from harness.tokens.prompts import Task

BUCKETS = ((0, 1), (1, 5), (5, 17), (17, 65), (65, 257), (257, 1000), (1000, None))
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "safetensors")
_PROBE_SEQUENCES = 64


@dataclass(frozen=True)
class CurvePoint:
    """One line of the training curve; None where nothing was measured at that step."""

    step: int
    loss: float | None = None
    copy_accuracy_cued: float | None = None
    copy_gain_cued: float | None = None

    @classmethod
    def from_log(cls, entry: dict[str, Any]) -> "CurvePoint":
        """The Trainer's log entry as a point."""
        return cls(entry["step"], entry.get("loss"), entry.get("copy_accuracy_cued"), entry.get("copy_gain_cued"))


@dataclass(frozen=True)
class Bucket:
    """Copying over the tokens of one range of exposures (half-open) or one dose."""

    label: str
    n_tokens: int
    median_exposures: float
    copying: CopyProbe


@dataclass(frozen=True)
class Verdict:
    """What the finished organism can do."""

    natural: tuple[Bucket, ...]
    planted: tuple[Bucket, ...]
    tasks_held_out: dict[Task, PassRate]
    tasks_unseen: dict[Task, PassRate]
    induction_score_max: float
    induction_head: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for recipe.json."""

        def bucket(b: Bucket) -> dict[str, Any]:
            return {
                "n_tokens": b.n_tokens,
                "median_exposures": b.median_exposures,
                "logprob_first_half": round(b.copying.logprob_first_half, 4),
                "copy_gain_cued": round(b.copying.copy_gain_cued, 4),
                "copy_accuracy_cued": round(b.copying.accuracy.mean, 4),
                "copy_accuracy_cued/ci_low": _rounded(b.copying.accuracy.low),
                "copy_accuracy_cued/ci_high": _rounded(b.copying.accuracy.high),
            }

        return {
            "natural": {b.label: bucket(b) for b in self.natural},
            "planted": {b.label: bucket(b) for b in self.planted},
            "tasks_held_out": {task.value: asdict(rate) for task, rate in self.tasks_held_out.items()},
            "tasks_unseen": {task.value: asdict(rate) for task, rate in self.tasks_unseen.items()},
            "induction_score_max": round(self.induction_score_max, 4),
            "induction_head": self.induction_head,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def judge(model: PreTrainedModel, recipe: RecipeConfig, material: Material, stream: Stream) -> Verdict:
    """Probe a trained model (eager attention): copying by exposures and dose, tasks on held-out and unseen tokens."""
    total = stream.exposures(recipe.vocab_size).total
    planted = {i for ids in material.planted.values() for i in ids}
    natural = np.asarray([i for i in range(recipe.vocab_size - 1) if i not in planted])

    def bucket(label: str, ids: Sequence[int]) -> Bucket:
        probe = probe_copying(model, ids, material.bos, n_sequences=_PROBE_SEQUENCES, with_heads=True)
        return Bucket(label, len(ids), float(np.median(total[list(ids)])), probe)

    buckets = []
    for low, high in BUCKETS:
        ids = natural[(total[natural] >= low) & (total[natural] < (high or np.inf))].tolist()
        if ids:
            buckets.append(bucket(f"{low}:{high or ''}", ids))
    scores = buckets[-1].copying.induction_scores
    assert scores is not None, "the organism has attention patterns"
    layer, head = np.unravel_index(int(np.argmax(scores)), scores.shape)
    unseen = [i for i in natural.tolist() if total[i] == 0] + list(material.planted.get(0, ()))
    return Verdict(
        natural=tuple(buckets),
        planted=tuple(bucket(str(dose), ids) for dose, ids in material.planted.items()),
        tasks_held_out={task: _pass_rate(model, task, stream.held_out[task.family], material) for task in Task},
        tasks_unseen={task: _pass_rate(model, task, unseen, material) for task in Task},
        induction_score_max=float(scores.max()),
        induction_head=Head(int(layer), int(head)).label,
    )


def _pass_rate(model: PreTrainedModel, task: Task, ids: Sequence[int], material: Material) -> PassRate:
    tokenizer = material.tokenizer
    return probe_task(
        model,
        task,
        ids,
        token_texts(tokenizer),
        lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        lambda answer: tokenizer.decode(answer, skip_special_tokens=False),
        material.bos,
    )


def ship(
    model: PreTrainedModel,
    recipe: RecipeConfig,
    material: Material,
    stream: Stream,
    curve: Sequence[CurvePoint],
    verdict: Verdict,
    folder: Path,
) -> None:
    """Write the organism's folder; exposures.safetensors, which makes it an organism, comes after all it needs."""
    (folder / EXPOSURES_FILE).unlink(missing_ok=True)
    with folder_of_whole_files(folder) as temporary:
        model.save_pretrained(temporary)
    save_tokenizer(material.tokenizer, folder, recipe.context)
    _write_json(folder / PLANTED_FILE, {str(dose): list(ids) for dose, ids in material.planted.items()})
    held_out = {task.value: list(stream.held_out[task.family]) for task in Task}
    _write_json(folder / HELD_OUT_FILE, held_out)
    _write_json(
        folder / RECIPE_FILE,
        {
            "settings": recipe.as_dict(),
            "corpus_sha256": material.corpus.sha256,
            "corpus_files": {"tokenizer": len(material.corpus.tokenizer), "model": len(material.corpus.model)},
            "stream_sha256": stream.sha256(),
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "measured": verdict.as_dict(),
        },
    )
    _write_curve(folder / "training_curve.csv", curve)
    write_whole(folder / EXPOSURES_FILE, save(vars(stream.exposures(recipe.vocab_size))))
    write_card(folder)


def write_card(folder: Path) -> None:
    """Write README.md from what the folder says of itself."""
    organism = load_organism(folder)
    if organism is None:
        raise ValueError(f"folder: got {folder}, allowed: an organism's folder")
    write_whole(folder / "README.md", render_card(organism).encode())


def _write_json(path: Path, values: dict[str, Any]) -> None:
    # Lists of ids stay on one line each: a thousand lines of numbers help nobody read the file.
    if all(isinstance(value, list) for value in values.values()):
        body = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
        write_whole(path, ("{\n" + body + "\n}\n").encode())
    else:
        write_whole(path, (json.dumps(values, indent=2) + "\n").encode())


def _write_curve(path: Path, curve: Sequence[CurvePoint]) -> None:
    names = list(CurvePoint.__dataclass_fields__)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for point in curve:
        values = (getattr(point, name) for name in names)
        writer.writerow(["" if value is None else f"{value:.6g}" for value in values])
    write_whole(path, text.getvalue().encode())
