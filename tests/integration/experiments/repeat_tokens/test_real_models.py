"""repeat_tokens on real architectures, one of them without attention, and a plain forward to compare with."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from experiments.repeat_tokens.config import RepeatTokensConfig
from experiments.repeat_tokens.measure import measure
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.notebook import run
from harness.runs._subject import Subject
from harness.runs.config.schema import RunConfig
from harness.runs.context import Outcome, Run
from harness.runs.folder import RunFolder
from harness.runs.results.stored_run import StoredRun
from harness.tokens.pools import resolve_pools

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]


@pytest.fixture(scope="module")
def stories(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., StoredRun]:
    """Runs on a real third-party model that stands in the project's acceptance list."""

    def measured(*words: str) -> StoredRun:
        return run(
            "repeat_tokens",
            f"model.name={shared_dir / 'models' / 'stories260k'}",
            "pools.unused=177:188",
            "pools.common=259:300",
            f"results_dir={tmp_path_factory.mktemp('stories')}",
            "tracker=none",
            *words,
        )

    return measured


def test_a_real_model_gives_the_known_means(stories: Callable[..., StoredRun]) -> None:
    metrics = stories("exp.draws=replacement").metrics
    assert metrics["unused/logprob_first_half"] == pytest.approx(-26.5, abs=0.25)
    assert metrics["unused/logprob_second_half"] == pytest.approx(-25.8, abs=0.25)
    # Of eleven tokens in a sequence, as of the unused pool: -10.2 and -9.6 where all 41 are drawn without replacement.
    assert metrics["common/logprob_first_half"] == pytest.approx(-9.9, abs=0.4)
    assert metrics["common/logprob_second_half"] == pytest.approx(-9.3, abs=0.4)
    # A model this small has no induction: no head stands out and next to nothing is copied.
    assert metrics["common/induction_score_max"] < 0.1
    assert metrics["common/copy_accuracy"] < 0.05


@pytest.mark.parametrize("seq_len", [25, 3])
def test_records_and_head_scores_equal_those_of_a_plain_forward(
    stories: Callable[..., StoredRun], shared_dir: Path, seq_len: int
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    # With halves of 25 the pools need company, and only their own tokens count; with halves of 3 they do, too, for the
    # unused pool's rows coincide.
    run = stories(f"exp.seq_len={seq_len}", "exp.n_sequences=12")
    model = AutoModelForCausalLM.from_pretrained(shared_dir / "models" / "stories260k", attn_implementation="eager")
    rows = run.records[(run.records["pool"] == "common") & run.records["index"].notna()]
    halves = torch.tensor(rows["tokens"].tolist())
    bos = torch.ones(len(halves), 1, dtype=torch.long)
    # Sequences 0 and 1 are each other's control, 2 and 3, and so on.
    others = halves[torch.arange(len(halves)) ^ 1]
    own = torch.zeros_like(halves, dtype=torch.bool)
    for row, places in enumerate(rows["own"].tolist()):
        own[row, places] = True

    def logprobs(first: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        tokens = torch.cat([bos, first, halves], dim=1)
        with torch.no_grad():
            output = model(tokens, output_attentions=True)
        picked = output.logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
        return picked, output.attentions

    def mean(values: torch.Tensor) -> np.ndarray:
        return np.nanmean(np.where(own, values.numpy(), np.nan), axis=1)

    logprob, attentions = logprobs(halves)
    control, _ = logprobs(others)
    first, second = logprob[:, :seq_len], logprob[:, seq_len:]
    np.testing.assert_allclose(rows["logprob_first_half"].astype(float), mean(first), atol=1e-4)
    np.testing.assert_allclose(rows["logprob_second_half"].astype(float), mean(second), atol=1e-4)
    np.testing.assert_allclose(rows["copy_effect"].astype(float), mean(second - control[:, seq_len:]), atol=1e-4)
    both = torch.cat([own, own], dim=1)
    expected = ((logprob * both).sum(0) / both.sum(0)).numpy()
    np.testing.assert_allclose(run.arrays["common/position/logprob_mean"], expected, atol=1e-4)
    attention = torch.stack(attentions, dim=1)
    queries = torch.arange(seq_len + 1, 2 * seq_len + 1)
    weights = (own / own.sum(1, keepdim=True)).float()
    scores = run.arrays["common/heads/attention_by_offset"]
    for offset in (0, 1, seq_len - 1, seq_len):
        looked = attention[..., queries, queries - offset]
        mean_score = torch.einsum("blhq,bq->lh", looked, weights).numpy() / len(halves)
        np.testing.assert_allclose(scores[..., offset], mean_score, atol=1e-5)
    for row, head in enumerate(run.details["heads"]["top"]):
        found = run.arrays["common/example/pattern"][row]
        np.testing.assert_allclose(found, attention[0, head["layer"], head["head"]].numpy(), atol=1e-5)


def outcome_of(checkpoint: Path, folder: Path, batch_size: int) -> Outcome:
    """The experiment's answer alone: nothing is drawn."""
    exp = RepeatTokensConfig(seq_len=8, n_sequences=10, batch_size=batch_size)
    pools = {"unused": "0:6", "common": "10:40"}
    config = RunConfig(
        "repeat_tokens", exp, ModelConfig(str(checkpoint), device="cpu"), pools=pools, results_dir=folder
    )
    identity = resolve_identity(config.model)
    facts = load_facts(identity, config.model)
    stage = Run(config, RunFolder(folder), Subject(identity, facts, resolve_pools(config.pools, facts, 0), None))
    try:
        return measure(stage)
    finally:
        stage.close()


def test_the_batch_size_does_not_matter(checkpoints: Mapping[str, Path], tmp_path: Path) -> None:
    one, *others = (outcome_of(checkpoints["gpt2"], tmp_path / str(size), size).metrics for size in (1, 4, 10))
    compared = [name for name in one if any(word in name for word in ("logprob", "copy_gain", "entropy", "score"))]
    assert len(compared) > 50
    for name in compared:
        # Permutation tests count, so a p-value may move by one relabelling.
        tolerance = 2e-3 if name.endswith("p_value") else 1e-4
        for other in others:
            assert other[name] == pytest.approx(one[name], abs=tolerance)


def test_a_model_without_attention_gives_log_probs_and_says_so(checkpoints: Mapping[str, Path], tmp_path: Path) -> None:
    stored = run(
        "repeat_tokens",
        f"model.name={checkpoints['mamba']}",
        "pools.unused=3:9",
        "pools.common=10:40",
        "exp.seq_len=8",
        "exp.n_sequences=4",
        f"results_dir={tmp_path}",
        "tracker=none",
    )
    assert stored.status == "complete"
    assert -20 < stored.metrics["common/logprob_first_half"] < 0
    assert not [name for name in stored.metrics if "head" in name or "score" in name]
    assert any("no attention patterns" in note for note in stored.notes)


def test_pools_that_hold_the_whole_vocabulary_keep_one_another_company(tmp_path: Path) -> None:
    stored = run(
        "repeat_tokens", "pools=doses", "exp.n_sequences=2", "exp.seq_len=8", "tracker=none", f"results_dir={tmp_path}"
    )
    assert {about["n_in_half"] for about in stored.details["pools"].values()} == {2}
    assert stored.details["companions"].startswith("well-known companions, of the pools too")
