"""Every experiment writes the arrays that it declares: these names, types and axes, and all of them."""

from pathlib import Path

import pytest

from harness.errors import RunFailed
from harness.pipeline import execute
from harness.runs import registry
from harness.runs.config.compose import compose_run

pytestmark = pytest.mark.integration

README = Path(__file__).resolve().parents[3] / "README.md"
PATH_STAR = (
    "exp.graph=2x3", "exp.n_values=10", "exp.n_train=200", "exp.n_held_out=60", "exp.n_probe=20", "exp.n_layers=2",
    "exp.d_model=16", "exp.n_heads=2", "exp.n_steps=6", "exp.batch_size=8", "exp.warmup_steps=1", "exp.probe_every=3",
    "exp.checkpoint_every=3",
)  # fmt: skip
POCKET = (
    "exp.d_model=32", "exp.n_layers=1", "exp.n_heads=2", "exp.vocab_size=1000", "exp.context=128", "exp.n_steps=10",
    "exp.early_steps=4", "exp.early_rows.text=4", "exp.early_rows.repeats=2", "exp.early_rows.tasks=2",
    "exp.late_rows.text=4", "exp.late_rows.repeats=1", "exp.late_rows.tasks=3", "exp.doses=[0,1]",
    "exp.tokens_per_dose=5", "exp.held_out_per_family=4", "exp.held_out_min_exposures=1", "exp.warmup_steps=2",
    "exp.checkpoint_every=10", "exp.probe_every=5",
)  # fmt: skip

# A small run of each experiment on pocket, and the declared arrays that this run has no reason to write.
RUNS = {
    "audit": (("exp.n_tokens=40", "exp.percentile=1"), ("before",)),
    "census": (("exp.n_tokens=40", "exp.n_samples=2"), ()),
    "copy_map": (("exp.n_tokens=40", "exp.n_worst=4"), ("census",)),
    "dataset_prevalence": ((f"exp.path={README}", "exp.tokens=[262,354]"), ()),
    "detectors": (("exp.detectors=[active_census]", "exp.n_seeds=1", "exp.budgets=[0.01]", "exp.n_tokens=400",
                   "exp.active_census.growth=1", "exp.active_census.n_trees=10"), ()),
    "echo_token": (("exp.n_tokens=1", "exp.n_seeds=1", "exp.n_shots=2", "exp.max_new_tokens=2"), ()),
    "find_glitch_tokens": (("exp.n_tokens=200", "exp.n_calibration=12", "exp.detector=centred_cosine"), ()),
    "glitchhunter": (("exp.budget=150",), ("census",)),
    "path_star": ((*PATH_STAR, "exp.n_test=20", "exp.n_lookup=8", "exp.n_knock_out=8", "exp.first_only_steps=0"), ()),
    "repair": (("exp.token_ids=[2813,2871,2919,2964]", "exp.n_healthy=8", "exp.n_calibration=12", "exp.n_copied=12",
                "exp.n_text_tokens=100", "exp.method=rescaled_both"), ()),
    "repeat_one_token": (("exp.n_tokens=12", "exp.length=24"), ()),
    "repeat_tokens": (("exp.seq_len=4", "exp.n_sequences=2"), ()),
    "token_audit": ((), ()),
    "token_card": (("exp.token=300",), ("indicator/norm_input",)),
    "train_organisms": (("exp.arms=[reference,untied]", "exp.n_seeds=1", "exp.d_model=32", "exp.n_layers=1",
                         "exp.n_heads=2", "exp.vocab_size=600", "exp.context=128", "exp.n_steps=12",
                         "exp.early_steps=6", "exp.doses=[0,2]", "exp.tokens_per_dose=5", "exp.well_shown=8",
                         "exp.n_appearances=2"), ()),
    "train_path_star": (PATH_STAR, ()),
    "train_pocket": (POCKET, ()),
    "undertrained": (("exp.percentile=1",), ()),
    "unused_logits": (("exp.n_windows=2",), ()),
    "where_it_breaks": (("exp.n_tokens=4", "exp.n_appearances=2", "exp.seq_len=6", "exp.n_own=2"), ()),
}  # fmt: skip
SLOW = ("audit", "copy_map", "detectors", "train_organisms", "train_pocket")


def run(experiment, results, *words):
    return execute(compose_run([f"exp={experiment}", "tracker=none", f"results_dir={results}", *words]))


def test_every_experiment_is_here():
    assert set(RUNS) == {path.parent.name for path in README.parent.glob("experiments/*/config.py")}


@pytest.mark.parametrize(
    "experiment", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in RUNS]
)
def test_a_run_writes_what_is_declared(experiment, tmp_path):
    words, absent = RUNS[experiment]
    found = run(experiment, tmp_path, *words)
    # What it says in one sentence names no value that is missing.
    assert found.answer is not None
    assert found.answer.sentence.endswith(".") and not {"None", "nan", "[]"} & set(found.answer.sentence.split())
    arrays = found.arrays
    declared = registry.load_arrays(experiment)
    assert declared is not None
    for name, array in arrays.items():
        assert any(spec.describes(name, array) for spec in declared), name
    unwritten = [spec for spec in declared if not any(map(spec.matches, arrays))]
    assert [spec.name for spec in unwritten] == list(absent)
    assert all(spec.when for spec in unwritten)


def test_an_undeclared_array_fails_the_run(tmp_path, monkeypatch):
    declared = registry.load_arrays("token_audit")
    monkeypatch.setattr(registry, "load_arrays", lambda _: declared[:1])
    with pytest.raises(RunFailed, match="ARRAYS: got byte as int64 with 1 axes, declared: no such name"):
        run("token_audit", tmp_path)
    (folder,) = (tmp_path / "token_audit").glob("pocket-*")
    assert not (folder / "arrays.safetensors").exists()
