"""repeat_one_token against transformers' own pass of a real third-party model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from harness.notebook import run

pytestmark = pytest.mark.integration

LENGTH = 20


def test_every_number_is_that_of_a_plain_pass(shared_dir: Path, tmp_path: Path) -> None:
    folder = shared_dir / "models" / "stories260k"
    stored = run(
        "repeat_one_token", f"model.name={folder}", "pools.unused=177:188", "pools.common=259:300", "exp.n_tokens=6",
        f"exp.length={LENGTH}", f"results_dir={tmp_path}", "tracker=none",
    )  # fmt: skip
    arrays, layer = stored.arrays, stored.details["first_token"]["layer"]
    ids = torch.from_numpy(arrays["common/ids"])
    tokens = torch.cat([torch.ones(len(ids), 1, dtype=torch.long), ids[:, None].expand(-1, LENGTH - 1)], dim=1)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    left: dict[int, torch.Tensor] = {}
    # hidden_states holds the last block's output only after the final norm.
    for number, block in enumerate(model.model.layers):
        block.register_forward_hook(
            lambda _, __, out, number=number: left.update({number: out if isinstance(out, torch.Tensor) else out[0]})
        )
    with torch.no_grad():
        output = model(tokens, output_attentions=True)
    logits = output.logits[:, 1:]
    logprob = logits.log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
    np.testing.assert_allclose(arrays["common/logprob"], logprob, atol=1e-4)
    np.testing.assert_array_equal(arrays["common/likeliest"], logits.argmax(-1))
    attention = torch.stack(output.attentions, dim=1)  # [batch layer head query key]
    for name, key in (("first", 1), ("bos", 0)):
        np.testing.assert_allclose(
            arrays[f"common/attention/{name}"], attention[:, :, :, 1:, key].mean((1, 2)), atol=1e-5
        )
        np.testing.assert_allclose(
            arrays[f"common/attention/{name}_by_head"], attention[:, :, :, 2:, key].mean((0, 3)), atol=1e-5
        )
    norm = left[layer].norm(dim=-1)
    np.testing.assert_allclose(arrays["common/norm"], norm[:, 1:] / norm[:, :1], rtol=1e-4)
    assert stored.metrics["first_token/factor"] > 1
