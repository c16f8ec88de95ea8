"""where_it_breaks over several pools: names in front, heads in common, pictures of all."""

from pathlib import Path

import pytest

from harness.notebook import run

pytestmark = pytest.mark.integration


def test_several_pools_on_pocket(tmp_path: Path) -> None:
    stored = run(
        "where_it_breaks", "+pools.rare=natural:1:17", "+pools.planted=planted:4096", "pools.unused=planted:0",
        "exp.n_tokens=24", "exp.n_appearances=2", f"results_dir={tmp_path}", "tracker=none",
    )  # fmt: skip
    metrics = stored.metrics
    assert {key.split("/")[0] for key in metrics} == {"unused", "rare", "planted"}
    # Never shown: not read, hardly copied. Often shown: known to the final state, whatever its output row makes of it.
    assert metrics["unused/identity_effect"] < 1 < metrics["planted/identity_effect"]
    assert metrics["unused/decoded/own"] < metrics["planted/decoded/own"]
    assert metrics["planted/decoded/own"] > 0.9
    # Attention finds either after a well-known cue; a cue that was never shown is not found.
    assert min(metrics[f"{pool}/attention/induction"] for pool in ("unused", "planted")) > 0.6
    assert metrics["unused/mixed_attention/own_then_partner"] < 0.4
    assert metrics["planted/mixed_attention/own_then_partner"] > 0.6
    assert metrics["unused/restored/swap_both"] == pytest.approx(1, abs=1e-3)
    # Parts add up, and keys read the previous-token heads: without that path partners are hardly copied.
    assert max(metrics[f"{pool}/attribution/unexplained"] for pool in ("unused", "rare", "planted")) < 1e-4
    assert min(metrics[f"{pool}/ablated/path_resampled"] for pool in ("unused", "rare", "planted")) > 0.5
    # By its weights an induction head copies partners better than what was never shown.
    best = {
        whose: max(metrics[f"unused/ov_copying/{head}/z_score{whose}"] for head in stored.details["heads"]["induction"])
        for whose in ("", "_partner")
    }
    assert best[""] + 1 < best["_partner"]
    assert metrics["unused/mixed_matched/own_then_partner"] + 0.3 < metrics["planted/mixed_matched/own_then_partner"]
    drawn = {path.stem for path in (stored.folder / "figures").glob("*.png")}
    assert drawn == {"restored", "stages", "by_layer", "attribution", "circuits", "mixed"}
    tables = {path.stem for path in (stored.folder / "tables").glob("*.csv")}
    assert tables == {"restored", "pools", "by_layer", "attribution", "circuits", "mixed", "ablations", "tokens"}
