"""Every experiment by its default command, on every kind of model: nothing is given but the model."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from harness.notebook import run
from tests.helpers.small_tokenizers import BERT_SPECIAL, SYLLABLES, byte_level, unigram, wordpiece, write_model

pytestmark = pytest.mark.acceptance

WINDOW = 1024
METRICS = {
    "token_audit": ("ids", "ok", "special", "unreachable", "no_token"),
    "undertrained": ("candidates", "indicator_mean", "verified", "prompts_used", "controls_verified_share"),
    "echo_token": ("unused/greedy/success", "common/greedy/success", "common/sampled/success", "informative"),
    "unused_logits": ("unused/text/total_probability", "common/text/total_probability", "unused/last/logit_max"),
    "repeat_tokens": ("unused/copy_effect", "common/copy_effect", "unused/copy_gain", "common/copy_accuracy"),
    "repeat_one_token": ("unused/top1_share", "unused/logprob", "common/started", "common/logprob_end"),
    "glitchhunter": ("tokens", "graph/communities", "informative"),
    "copy_map": ("tokens", "not_copied_share", "calibration/copied_share", "informative", "copy_effect_mean"),
    "census": ("tested", "counting_wordings", "counting_families", "wording/echo_1/calibration_pass_rate"),
    "find_glitch_tokens": ("tokens", "wordings", "calibration_positions"),
    "repair": ("glitch_tokens", "fitting_wordings", "held_out_wordings"),
    "where_it_breaks": ("n_tokens", "copy_effect", "identity_effect", "identity_effect_partner", "lost", "copied/own"),
}
"""What every run of an experiment has measured, whatever the model."""


@dataclass(frozen=True)
class Kind:
    """One kind of model, and what a reader has to be told of it."""

    name: str
    make: Callable[[Path, pytest.FixtureRequest], Path]
    """Writes the model into a folder, or finds it."""
    unused: str
    """Part of the note on how the unused tokens were chosen."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Parts of further notes, by experiment."""
    metrics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """In place of `METRICS`."""
    slow: tuple[str, ...] = ()
    """Experiments that take more than a few seconds."""


def _shared(request: pytest.FixtureRequest, *parts: str) -> Path:
    path: Path = request.getfixturevalue("shared_dir").joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def _with_gpt2_tokenizer(config_name: str, **sizes: int) -> Callable[[Path, pytest.FixtureRequest], Path]:
    def make(folder: Path, request: pytest.FixtureRequest) -> Path:
        import transformers as tf

        tokenizer = tf.AutoTokenizer.from_pretrained(_shared(request, "tokenizers", "gpt2"))
        ends = {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
        config = getattr(tf, config_name)(vocab_size=len(tokenizer), **ends, **sizes)
        state = torch.get_rng_state()
        torch.manual_seed(0)
        tf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        torch.set_rng_state(state)
        tokenizer.save_pretrained(folder)
        return folder

    return make


def _wordpiece(folder: Path, _: pytest.FixtureRequest) -> Path:
    tokenizer = wordpiece((*SYLLABLES, *(f"[unused{n}]" for n in range(12))))
    roles = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), BERT_SPECIAL, strict=True))
    return write_model(folder, tokenizer, n_ctx=WINDOW, **roles)


def _unigram(folder: Path, _: pytest.FixtureRequest) -> Path:
    roles = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return write_model(folder, unigram(SYLLABLES), n_ctx=WINDOW, **roles)


def _more_rows(folder: Path, _: pytest.FixtureRequest) -> Path:
    # Without the bytes that UTF-8 never holds, so that the rows beyond the tokens are what is left.
    left_out = (0xC0, 0xC1, *range(0xF5, 0x100))
    return write_model(folder, byte_level(left_out=left_out), 30, n_ctx=WINDOW, eos_token="<|endoftext|>")


ALL = tuple(METRICS)
LONG = (
    "undertrained", "repeat_tokens", "repeat_one_token", "glitchhunter", "copy_map", "census", "find_glitch_tokens",
    "repair", "where_it_breaks",
)  # fmt: skip
SAMPLES = {
    ("gpt2", "repeat_one_token"): ("exp.n_tokens=8", "exp.length=64"),
    ("mamba", "repeat_one_token"): ("exp.n_tokens=8", "exp.length=64"),
    ("smollm2", "repeat_one_token"): ("exp.n_tokens=4", "exp.length=32"),
    ("gpt2", "copy_map"): ("exp.n_tokens=960", "exp.n_worst=24"),
    ("mamba", "copy_map"): ("exp.n_tokens=960", "exp.n_worst=24"),
    ("smollm2", "copy_map"): ("exp.n_tokens=960", "exp.n_worst=24"),
    ("gpt2", "where_it_breaks"): ("exp.n_tokens=8", "exp.n_appearances=2"),
    ("mamba", "where_it_breaks"): ("exp.n_tokens=8", "exp.n_appearances=2"),
    ("smollm2", "where_it_breaks"): ("exp.n_tokens=4", "exp.n_appearances=1", "exp.n_layer_points=3"),
    ("gpt2", "repair"): ("exp.n_searched=64", "exp.n_healthy=8"),
    ("mamba", "repair"): ("exp.n_searched=64", "exp.n_healthy=8"),
    ("smollm2", "repair"): (
        "exp.token_ids=[30856,39936]",
        "exp.method=mean_both",
        "exp.dearest=32",
        "exp.n_healthy=8",
        "exp.n_calibration=24",
        "exp.n_text_tokens=100",
        "exp.n_copied=12",
    ),
    ("smollm2", "census"): ("exp.n_tokens=24", "exp.n_calibration=24"),
    ("smollm2", "find_glitch_tokens"): ("exp.n_tokens=480", "exp.n_calibration=24", "exp.detector=centred_cosine"),
}
"""Where the default command would ask some 50,000 tokens, repeat 128 to the end of a long context, or change a wide
model a hundred times over."""
KINDS = (
    Kind(
        "wordpiece", _wordpiece, "chosen as tokens with reserved names",
        {"glitchhunter": "nothing was hunted", "census": "Nothing can be said",
         "find_glitch_tokens": "nothing can be said"}, slow=LONG,
    ),
    Kind("unigram", _unigram, "a stand-in: no rule finds a token that training can't have shown", slow=LONG),
    Kind(
        "more-rows", _more_rows, "chosen as rows that the tokenizer has no token for",
        {"token_audit": "30 of 282 embedding rows", "undertrained": "30 embedding rows have no token"}, slow=LONG,
    ),
    Kind(
        "gpt2", _with_gpt2_tokenizer("GPT2Config", n_layer=2, n_head=4, n_embd=64),
        "chosen as bytes that UTF-8 never holds", {"census": "Nothing can be said",
         "find_glitch_tokens": "nothing can be said"}, slow=ALL,
    ),
    Kind(
        "mamba",
        _with_gpt2_tokenizer("MambaConfig", hidden_size=64, state_size=8, num_hidden_layers=2, time_step_rank=4),
        "chosen as bytes that UTF-8 never holds",
        {"repeat_tokens": "attention", "repeat_one_token": "attention", "where_it_breaks": "attention",
         "census": "Nothing can be said",
         "find_glitch_tokens": "nothing can be said"},
        slow=ALL,
    ),
    Kind(
        "stories260k", lambda _, request: _shared(request, "models", "stories260k"), "chosen as", slow=ALL,
    ),
    Kind(
        "smollm2", lambda _, request: request.getfixturevalue("smollm2_file"),
        "chosen as special tokens without a role; the largest set of rows that nearly coincide",
        {"undertrained": "what is found is true of this file", "repeat_tokens": "apart",
         "repeat_one_token": "one of each set is repeated"}, slow=ALL,
    ),
)  # fmt: skip


def cells() -> list[object]:
    """Every kind with every experiment."""
    found = []
    for kind in KINDS:
        for experiment in METRICS:
            marks = [pytest.mark.slow] if experiment in kind.slow else []
            found.append(pytest.param(kind, experiment, id=f"{kind.name}-{experiment}", marks=marks))
    return found


@pytest.fixture(scope="module")
def model_of(tmp_path_factory, request):
    """The folder or file of a kind of model, made once."""
    made: dict[str, Path] = {}

    def find(kind: Kind) -> Path:
        if kind.name not in made:
            made[kind.name] = kind.make(tmp_path_factory.mktemp(kind.name) / kind.name, request)
        return made[kind.name]

    return find


@pytest.mark.parametrize(("kind", "experiment"), cells())
def test_the_default_command_answers(kind, experiment, model_of, tmp_path):
    words = [f"model.name={model_of(kind)}", "tracker=none", f"results_dir={tmp_path}"]
    stored = run(experiment, *words, *SAMPLES.get((kind.name, experiment), ()))
    manifest = json.loads((stored.folder / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert not manifest["error"]
    missing = [
        key for key in kind.metrics.get(experiment, METRICS[experiment])
        if not isinstance(stored.metrics.get(key), int | float) or not math.isfinite(stored.metrics[key])
    ]  # fmt: skip
    assert not missing, stored.metrics
    assert "<html" in (stored.folder / "report.html").read_text()
    assert (stored.folder / "headline.json").is_file()
    notes = "\n".join(manifest["notes"])
    if experiment in ("unused_logits", "echo_token", "repeat_tokens", "repeat_one_token"):
        assert kind.unused in notes
    assert kind.notes.get(experiment, "") in notes
