"""The files that commands are given: small, made here, always the same bytes."""

import json
import shutil
from pathlib import Path

from safetensors.numpy import load_file, save_file

from snapshots.commands import Places

DOCUMENTS = (
    "def main(argv):\n    return argv",
    "the cat sat on the mat",
    "",
    "cap cap \xf5 json",
    "import json\nimport os\n",
)
GRAPHS = ("1,2|1,3|3,4|2,0/1,0=1,2,0", "5,7|6,8|5,6|7,9/5,9=5,7,9", "0,3|3,2|0,4|4,1/0,1=0,4,1")


def data_files(folder: Path, places: Places) -> None:
    """Text in the layouts that data sets come in."""
    del places
    _write_lines(folder / "data.jsonl", [{"text": text} for text in DOCUMENTS])
    (folder / "text.txt").write_text("\n".join(DOCUMENTS * 3), encoding="utf-8")
    documents = folder / "documents"
    documents.mkdir()
    (documents / "a.txt").write_text(DOCUMENTS[0], encoding="utf-8")
    (documents / "b.json").write_text(json.dumps([{"messages": [{"role": "user", "content": DOCUMENTS[1]}]}]))
    _write_lines(documents / "c.jsonl", [{"instruction": "say", "input": "", "output": DOCUMENTS[3]}, DOCUMENTS[4]])


def _write_lines(path: Path, records: list[object]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def graph_files(folder: Path, places: Places) -> None:
    """Path-star graphs, a file of them with a bad second line."""
    del places
    (folder / "graphs.txt").write_text("\n".join(GRAPHS) + "\n")
    (folder / "bad_graphs.txt").write_text(f"{GRAPHS[0]}\n{GRAPHS[1][:-2]}\n")


def pocket_folder(places: Places) -> Path:
    """The embedded model's folder in a checkout, wherever the packages have moved to."""
    (found,) = places.checkout.glob("harness/**/planted.json")
    return found.parent


def revised_pocket(folder: Path, places: Places) -> None:
    """Another revision of the embedded model: forty rows of its embedding stand elsewhere."""
    revision = folder / "revision"
    shutil.copytree(pocket_folder(places), revision)
    weights = load_file(revision / "model.safetensors")
    for rows in (value for name, value in weights.items() if value.ndim == 2 and ("wte" in name or "embed" in name)):
        rows[600:640] = rows[640:680].copy()
    save_file(weights, revision / "model.safetensors", metadata={"format": "pt"})


def outside_experiment(folder: Path, places: Places) -> None:
    """An experiment that lives outside the project, as the checkout's own tests have it."""
    (toy,) = (path for path in places.checkout.glob("tests/**/experiments/toy*") if path.suffix in ("", ".py"))
    shutil.copytree(toy.parents[1], folder / "outside", ignore=shutil.ignore_patterns("__pycache__"))


def broken_inputs(folder: Path, places: Places) -> None:
    """Models, data and graphs with one thing wrong with each."""
    data_files(folder, places)
    graph_files(folder, places)
    pocket = pocket_folder(places)
    for name in ("truncated", "no_weights", "no_config", "bad_config", "no_tokenizer", "short_counts", "renamed"):
        shutil.copytree(pocket, folder / name)
    weights = folder / "truncated" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (folder / "no_weights" / "model.safetensors").unlink()
    (folder / "no_config" / "config.json").unlink()
    (folder / "bad_config" / "config.json").write_text("{")
    for path in (folder / "no_tokenizer").glob("tokenizer*"):
        path.unlink()
    counts = folder / "short_counts" / "exposures.safetensors"
    save_file({name: value[:-1].copy() for name, value in load_file(counts).items()}, counts)
    tensors = load_file(folder / "renamed" / "model.safetensors")
    save_file({f"x.{name}": value for name, value in tensors.items()}, folder / "renamed" / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    (folder / "empty").mkdir()
    (folder / "a_file").write_text("")
    (folder / "bad.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    (folder / "odd.jsonl").write_text('{"nothing": "here"}\n')
    (folder / "not_parquet.parquet").write_text("text")
