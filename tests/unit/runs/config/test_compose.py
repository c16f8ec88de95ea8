"""Composing: the typed config, the reference that belongs to its pools, Hydra's mistakes as our lines."""

from pathlib import Path

import pytest

from harness.errors import Rejected
from harness.models.config import DType
from harness.runs.config.compose import compose_run
from harness.runs.config.schema import TrackerKind

pytestmark = pytest.mark.unit

OUTSIDE = Path(__file__).parents[3] / "helpers" / "outside"


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    monkeypatch.setenv("HARNESS_PATH", str(OUTSIDE))


def test_defaults_are_typed():
    config = compose_run(["exp=toy"])
    assert config.exp.n == 6
    assert config.model.name == "pocket"
    assert config.model.dtype is DType.FLOAT32
    assert config.tracker.kind is TrackerKind.WANDB
    assert config.results_dir.is_absolute()
    assert set(config.pools) == {"unused", "common"}


def test_overrides_reach_every_part(tmp_path):
    config = compose_run(
        [
            "exp=toy", "exp.n=9", "model=gpt2", "model.dtype=bfloat16", "tracker=none", "cache.store=true", "seed=4",
            "pools.unused=130:259", "pools.common=[5,7,9]", "+pools.rare=300:400", f"results_dir={tmp_path}",
        ]
    )  # fmt: skip
    assert (config.exp.n, config.model.name, config.model.dtype, config.seed) == (9, "gpt2", DType.BFLOAT16, 4)
    assert config.cache.store
    assert config.tracker.kind is TrackerKind.NONE
    assert config.pools == {"unused": "130:259", "common": (5, 7, 9), "rare": "300:400"}
    assert config.results_dir == tmp_path


def test_the_config_cannot_be_changed():
    config = compose_run(["exp=toy"])
    with pytest.raises(AttributeError):
        config.seed = 1  # type: ignore[misc]


def test_published_figures_belong_to_the_published_pools_only():
    published = compose_run(["exp=toy", "pools=blog"]).reference
    assert published is not None
    assert published.metrics["unused/logprob_first_half"] == -17.270
    assert published.metrics["common/logprob_second_half"] == -0.971
    changed = compose_run(["exp=toy", "pools=blog", "pools.unused=130:140"]).reference
    assert changed is not None
    assert {key.split("/")[0] for key in changed.metrics} == {"common"}
    assert compose_run(["exp=toy", "pools=blog", "pools.unused=1:2", "pools.common=3:4"]).reference is None


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model=pocket"], ["exp", "missing", "repeat_tokens"]),
        (["exp=toi"], ["'toi'", "did you mean", "'toy'"]),
        (["exp=toy", "model=gpt3"], ["'gpt3'", "gpt2", "model.name="]),
        (["exp=toy", "tracker=tensorboard"], ["tensorboard", "wandb", "none"]),
        (["exp=toy", "exp.m=1"], ["exp.m", "no such key", "exp.n"]),
        (["exp=toy", "exp.n=abc"], ["exp.n", "'abc'", "integer"]),
        (["exp=toy", "exp.n=0"], ["exp.n", "0", "1 or more"]),
        (["exp=toy", "model.dtype=float8"], ["model.dtype", "float8", "bfloat16"]),
        (["exp=toy", "model.dtyp=float32"], ["model.dtyp", "did you mean", ["model", "dtype"][1]]),
        (["exp=toy", "model.device=tpu"], ["model.device", "tpu", "cuda"]),
        (["exp=toy", "model.device=cpu", "model.device_map=auto"], ["model.device", "model.device_map", "contradict"]),
        (["exp=toy", "cache.max_gb=-1"], ["cache.max_gb", "-1"]),
        (["exp=toy", "seed=1.5"], ["seed", "1.5"]),
        (["exp=toy", "seed=-1"], ["seed", "-1"]),
        (["exp=toy", "pools.rare=1:2"], ["pools.rare", "+pools.rare"]),
        (["exp=toy", "pools.unused=5"], ["pools.unused", "5", "177:188"]),
        (["exp=toy", "pools.unused=[1,a]"], ["pools.unused", "'a'"]),
        (["exp=toy", "seed=0,1"], ["seed=0,1", "-m"]),
        (["exp=toy", "seed=1", "seed=2"], ["seed=1", "seed=2", "contradict"]),
    ],
)
def test_every_mistake_is_one_line_naming_key_value_and_what_is_allowed(overrides, words):
    with pytest.raises(Rejected) as caught:
        compose_run(overrides)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_a_broken_yaml_is_one_line_too(tmp_path, monkeypatch):
    (tmp_path / "conf" / "exp").mkdir(parents=True)
    (tmp_path / "conf" / "exp" / "broken.yaml").write_text("# a\n# b\nname: [broken\n")
    monkeypatch.setenv("HARNESS_PATH", str(tmp_path))
    with pytest.raises(Rejected, match=r"broken\.yaml") as caught:
        compose_run(["exp=broken"])
    assert "\n" not in str(caught.value)


def test_one_part_of_a_nested_value_may_be_changed():
    changed = ["exp.early_rows.text=3", "exp.early_rows.repeats=4"]
    rows = compose_run(["exp=train_pocket", *changed]).exp.early_rows
    assert (rows.text, rows.repeats, rows.tasks) == (3, 4, 1)
    with pytest.raises(Rejected, match=r"^exp\.d_model: got 130, allowed: a multiple of n_heads"):
        compose_run(["exp=train_pocket", "exp.d_model=130"])


def test_a_field_is_named_with_everything_above_it():
    with pytest.raises(Rejected, match=r"^exp\.glitchhunter\.k: got 0, allowed: 1 or more$"):
        compose_run(["exp=detectors", "exp.glitchhunter.k=0"])
    with pytest.raises(Rejected, match=r"^exp\.glitchprober\.first_layer: got 0\.99, allowed: shares of the depth"):
        compose_run(["exp=detectors", "exp.glitchprober.first_layer=0.99"])


def test_a_refusal_of_several_fields_names_each_as_a_key():
    both = ["exp.tokens=[5]", "exp.census=somewhere"]
    with pytest.raises(Rejected, match=r"^exp\.tokens and exp\.census contradict each other: give one of them$"):
        compose_run(["exp=dataset_prevalence", *both])


def test_a_number_is_shown_as_understood_and_all_else_as_written():
    with pytest.raises(Rejected, match=r"^exp\.percentile: got 0\.0, allowed: above 0, at most 100$"):
        compose_run(["exp=undertrained", "exp.percentile=0"])
    with pytest.raises(
        Rejected, match=r"^exp\.detectors: got \['random', 'random'\], allowed: one or more of kmeans, "
    ):
        compose_run(["exp=detectors", "exp.detectors=[random,random]"])
