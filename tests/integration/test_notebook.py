"""The same run from a notebook."""

import json
from pathlib import Path

import pytest

from harness.errors import Rejected

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = pytest.mark.integration


def test_run_and_load_give_the_same_answer_however_often(tmp_path):
    import harness

    words = ("exp.n_sequences=4", "exp.seq_len=8", "tracker=none", f"results_dir={tmp_path}")
    first = harness.run("repeat_tokens", *words)
    again = harness.run("repeat_tokens", *words)
    loaded = harness.load_run(first.folder)
    assert first.status == "complete"
    assert first.folder == again.folder
    assert loaded.metrics == first.metrics
    by_sequence = loaded.records["token"].isna()
    assert by_sequence.sum() == 8
    # Every token of the second halves but the first, whose copy nothing announces.
    assert set(loaded.records.loc[~by_sequence, "pool"]) == {"unused", "common"}
    assert set(loaded.arrays) == set(first.arrays)
    assert first.figures["logprob_by_position"]._repr_png_()[:4] == b"\x89PNG"
    shown = first._repr_html_()
    assert first.answer is not None and first.answer.sentence in shown
    assert "copy effect" in shown and "data:image/png;base64," in shown
    assert {"pool_metrics", "by_position"} <= set(first.tables)
    assert first.draw("logprob_by_position").axes
    assert "CircuitsVis.AttentionHeads" in first.attention().html
    assert [found.run_id for found in harness.find_runs(tmp_path)] == [first.run_id]
    other = harness.run("repeat_tokens", *words, "seed=1")
    table = harness.compare(first, other)
    row = table[table["metric"] == "common/copy_effect"].iloc[0]
    assert row["difference"] == other.metrics["common/copy_effect"] - first.metrics["common/copy_effect"]
    with pytest.raises(Rejected, match="figure: got 'nothing'"):
        first.draw("nothing")


def test_what_a_notebook_offers_is_found_by_completion():
    import harness

    assert {"run", "load_run", "find_runs", "compare"} <= set(dir(harness))


def test_the_example_notebook_runs(tmp_path, monkeypatch):
    cells = json.loads((EXAMPLES / "pocket.ipynb").read_text())["cells"]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert code[-1].startswith("# On Colab")  # needs the hub
    for cell in code[:-1]:
        exec(cell, names)
    assert names["unused"].status == "complete"


def test_pocket_keeps_its_promise(tmp_path):
    """The contrast that everything else stands on: at 25 tokens, common tokens are copied and unseen ones are not."""
    import harness

    metrics = harness.run("repeat_tokens", "tracker=none", f"results_dir={tmp_path}").metrics
    assert metrics["common/copy_gain_cued"] >= 4
    assert metrics["common/copy_accuracy_cued"] >= 0.9
    assert metrics["common/induction_score_max"] >= 0.5
    assert metrics["unused/copy_accuracy_cued"] <= 0.05


def test_another_model_never_inherits_pockets_exposures(tmp_path):
    import shutil

    import harness
    from harness.errors import Rejected
    from harness.models.identity import EMBEDDED_FOLDER

    shutil.copytree(EMBEDDED_FOLDER, tmp_path / "other", ignore=shutil.ignore_patterns("exposures*"))
    with pytest.raises(Rejected, match=r"pools\.unused"):
        harness.run(
            "repeat_tokens",
            f"model.name={tmp_path / 'other'}",
            "pools.unused=exposures:0:1",
            "tracker=none",
            f"results_dir={tmp_path / 'results'}",
        )
    assert not list((tmp_path / "results").rglob("manifest.json"))
