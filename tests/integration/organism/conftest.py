"""A miniature organism: a few files of the standard library, 30 steps."""

import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.organism._stream import Material, Stream, build_stream, prepare_material
from harness.organism.recipe import RecipeConfig, RowMix

COMMON = ("email", "json", "logging", "http", "collections", "argparse.py", "ast.py", "bdb.py")
TOKENIZER_ONLY = ("encodings/cp1252.py", "encodings/cp866.py", "encodings/koi8_r.py")

TINY = RecipeConfig(
    d_model=32,
    n_layers=1,
    n_heads=2,
    vocab_size=1000,
    context=128,
    n_steps=24,
    early_steps=8,
    early_context=64,
    early_rows=RowMix(text=4, repeats=2, tasks=2),
    late_rows=RowMix(text=4, repeats=1, tasks=3),
    doses=(0, 1, 4, 16),
    tokens_per_dose=5,
    held_out_per_family=4,
    held_out_min_exposures=10,
    warmup_steps=2,
    checkpoint_every=10,
    probe_every=6,
)


@dataclass(frozen=True)
class Tiny:
    """A recipe small enough to train in a test, and what its stream is made of."""

    recipe: RecipeConfig
    stdlib: Path
    material: Material
    stream: Stream


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    source, stdlib = Path(sysconfig.get_paths()["stdlib"]), tmp_path_factory.mktemp("stdlib")
    for name in (*COMMON, *TOKENIZER_ONLY):
        target = stdlib / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, ignore=shutil.ignore_patterns("__pycache__", "test", "tests"))
        else:
            shutil.copy(source / name, target)
    material = prepare_material(TINY, stdlib)
    return Tiny(TINY, stdlib, material, build_stream(TINY, material))
