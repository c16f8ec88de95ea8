"""A sweep over models given by their paths, as a user types it: its figures, and its group in the tracker's files."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from tests.helpers.offline_wandb import read_offline

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

N_LAYERS, N_HEADS = 30, 9


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A random Llama as deep as SmolLM2 and with as many heads, in a folder whose name has a comma and a space."""
    import torch
    import transformers as tf

    folder = tmp_path_factory.mktemp("models") / "deep, random"
    tf.utils.logging.disable_progress_bar()
    config = tf.LlamaConfig(
        vocab_size=64, hidden_size=36, intermediate_size=32, num_hidden_layers=N_LAYERS, num_attention_heads=N_HEADS,
        num_key_value_heads=3, max_position_embeddings=64, bos_token_id=63, eos_token_id=63,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tf.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def swept(deep, checkpoints, tmp_path_factory):
    """The sweep over that folder, another one and one without weights: (what the command said, its results)."""
    base = tmp_path_factory.mktemp("sweep")
    results, home, empty = (base / name for name in ("results", "home", "empty"))
    empty.mkdir()
    shutil.copy(deep / "config.json", empty)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    environment = {**kept, "HOME": str(home), "NETRC": str(home / "netrc"), "MPLCONFIGDIR": str(base / "matplotlib")}
    models = f"model.name='{deep}',{checkpoints['gpt2']},{empty}"
    words = ["exp=repeat_tokens", models, "pools.unused=0:20", "pools.common=20:60"]
    words += ["exp.n_sequences=4", "exp.seq_len=8"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "-m", *words, "seed=0,1", f"results_dir={results}"],
        env=environment, capture_output=True, text=True, check=False, timeout=1500,
    )  # fmt: skip
    return done, results


def test_a_model_that_cannot_run_is_named_and_the_others_are_done(swept):
    done, results = swept
    assert done.returncode == 1
    assert "4 of 6 runs are complete" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(list(results.glob("repeat_tokens/deep-random-*/metrics.json"))) == 2
    assert len(list(results.glob("repeat_tokens/gpt2-*/metrics.json"))) == 2


def test_the_offline_files_hold_one_group_with_metrics_tables_and_patterns(swept):
    done, results = swept
    (sweep_id,) = re.findall(r"^sweep (\w{8}): 6 runs", done.stdout, re.MULTILINE)
    files = sorted(results.glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 4
    for path in files:
        offline = read_offline(path)
        assert (offline.group, offline.job_type, offline.exit_code) == (sweep_id, "repeat_tokens", 0)
        run_id = offline.run_id.removeprefix("repeat_tokens-")
        folder = results / "repeat_tokens" / run_id
        stored = json.loads((folder / "metrics.json").read_text())
        (logged,) = offline.history
        for name in ("unused/copy_effect", "common/copy_accuracy", "compare/unused_vs_common/copy_effect_diff/p_value"):
            assert logged[name] == pytest.approx(stored[name], rel=1e-12)
        assert offline.summary["common/induction_head"] == stored["common/induction_head"]
        media = path.parent / "files"
        for table in ("pool_metrics", "comparisons", "tokens", "head_scores", "top_heads"):
            rows = json.loads((media / logged[f"tables/{table}.path"]).read_text())["data"]
            assert len(rows) == len(pd.read_csv(folder / "tables" / f"{table}.csv"))
        details = json.loads((folder / "details.json").read_text())
        page = (media / logged["attention_patterns.path"]).read_text(encoding="utf-8")
        shown = re.findall(r'"attentionHeadNames":(\[[^\]]*\])', page)
        heads = details["heads"]
        labels = [head["label"] for head in (*heads["top"], *heads["previous"])]
        assert [json.loads(names) for names in shown] == [labels] * 2
        assert {"arrays.safetensors", "records.jsonl", "report.html"} <= set(offline.artifacts)


def test_every_head_of_a_deep_model_is_in_the_table_and_the_size_stays_small(swept):
    _, results = swept
    (path, *_) = sorted(results.glob("wandb/offline-run-*deep*/*.wandb"))
    (logged,) = read_offline(path).history
    assert logged["tables/head_scores.nrows"] == 2 * N_LAYERS * N_HEADS
    # Most of it is the viewer's program, 1.3 MB, once a run.
    assert sum(file.stat().st_size for file in path.parent.rglob("*") if file.is_file()) < 4_000_000


def test_the_figures_across_models_are_drawn_by_one_command(swept, tmp_path):
    _, results = swept
    drawn = subprocess.run(
        [sys.executable, "-m", "harness.figures", str(results), "--out", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert drawn.returncode == 0, drawn.stderr
    table = pd.read_csv(tmp_path / "repeat_tokens" / "tables" / "metrics.csv")
    assert sorted(set(table["model"])) == ["deep-random", "gpt2"]
    assert set(table["seeds"]) == {2}
    assert (tmp_path / "repeat_tokens" / "figures" / "copy_forest.png").is_file()
