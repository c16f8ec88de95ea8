"""The bridge against transformers, architecture by architecture: log-probs and attention patterns, or a refusal."""

from pathlib import Path

import pytest
import torch
import transformers as tf

from harness.errors import Rejected
from harness.models.activations.patterns import pattern_hooks
from harness.models.answers.causal_model import CausalModel
from harness.models.bridge import BridgedModel, boot
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from tests.helpers.zoo import FOLDED, ROWS, VOCABULARY, Row, save_model

pytestmark = pytest.mark.integration

# Longer than any window of the table, so that what lies beyond one is compared, too.
N_POS = 24


def params(rows: tuple[Row, ...]) -> list:
    return [pytest.param(row, id=row.name, marks=pytest.mark.slow if row.slow else ()) for row in rows]


def boot_folder(folder: Path, **options: object) -> BridgedModel:
    config = ModelConfig(name=str(folder), device="cpu", **options)
    return boot(resolve_identity(config), config)


def plain_log_probs(folder: Path, tokens: torch.Tensor) -> torch.Tensor:
    config = ModelConfig(name=str(folder), device="cpu")
    model = CausalModel.load(resolve_identity(config), config)
    logits = model.logits(tokens)
    model.close()
    return logits.log_softmax(-1)


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (2, N_POS), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("row", params(ROWS))
def test_the_bridge_computes_what_transformers_computes_or_refuses(
    row: Row, tmp_path: Path, tokens: torch.Tensor
) -> None:
    folder = save_model(row, tmp_path)
    if row.refused is not None:
        with pytest.raises(Rejected, match=row.refused):
            boot_folder(folder)
        # Without hooks it is served.
        assert plain_log_probs(folder, tokens).isfinite().all()
        return
    model = boot_folder(folder)
    hooks, patterns = pattern_hooks(model), {}
    reducers = {name: lambda x, layer=layer: patterns.update({layer: x.clone()}) for layer, name in hooks.items()}
    log_probs = model.forward(tokens, reducers).log_softmax(-1)
    model.close()
    expected = plain_log_probs(folder, tokens)
    assert expected.std() > 0.3  # else anything would pass
    torch.testing.assert_close(log_probs, expected, rtol=0, atol=1e-4)

    assert len(hooks) == row.patterns
    assert set(patterns) == set(hooks)
    if row.patterns:
        eager = tf.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
        with torch.no_grad():
            attentions = [a for a in eager(tokens, output_attentions=True, use_cache=False).attentions if a is not None]
        layers = sorted(hooks) if len(attentions) > len(hooks) else range(len(attentions))
        for layer, seen in zip(layers, (patterns[key] for key in sorted(patterns)), strict=True):
            torch.testing.assert_close(seen, attentions[layer], rtol=0, atol=1e-4)


@pytest.mark.parametrize("row", params(FOLDED))
def test_folded_weights_give_the_same_log_probs_or_are_refused(row: Row, tmp_path: Path, tokens: torch.Tensor) -> None:
    folder = save_model(row, tmp_path)
    if row.folded_refused is not None:
        with pytest.raises(Rejected, match=row.folded_refused):
            boot_folder(folder, compatibility_mode=True)
        return
    model = boot_folder(folder, compatibility_mode=True)
    log_probs = model.forward(tokens).log_softmax(-1)
    model.close()
    torch.testing.assert_close(log_probs, plain_log_probs(folder, tokens), rtol=0, atol=1e-4)


def test_attention_that_the_bridge_does_not_show_is_told_from_none(tmp_path: Path) -> None:
    reasons = {}
    for row in ROWS:
        if row.name in ("mamba", "recurrent_gemma"):
            model = boot_folder(save_model(row, tmp_path / row.name))
            assert not model.has_attention_patterns
            reasons[row.name] = model.no_patterns_reason
            model.close()
    assert reasons == {
        "mamba": "this model has no attention patterns",
        "recurrent_gemma": "this model attends, but TransformerLens exposes none of its attention patterns",
    }
