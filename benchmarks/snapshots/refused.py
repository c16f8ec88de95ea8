"""The commands that are refused, each for one reason."""

from snapshots import materials
from snapshots.commands import Chain, Command, run, show

AUDIT, CARD, CENSUS, ECHO = "exp=audit", "exp=token_card", "exp=census", "exp=echo_token"
DATA, DETECTORS, HUNTER, REPEAT = "exp=dataset_prevalence", "exp=detectors", "exp=glitchhunter", "exp=repeat_tokens"
LOGITS, TRAIN, UNDER, VOCABULARY = "exp=unused_logits", "exp=train_pocket", "exp=undertrained", "exp=token_audit"
PATH, TRAIN_PATH = "exp=path_star", "exp=train_path_star"

COMMAND_LINE = (
    ("unknown_option", "--frobnicate"),
    ("cfg_without_value", "--cfg"),
    ("cfg_unknown", REPEAT, "--cfg", "everything"),
    ("config_dir_missing", "--config-dir", "nowhere", "--help"),
)
"""Typed as they stand."""

CONFIG = (
    ("no_experiment",),
    ("unknown_experiment", "exp=repeat_token"),
    ("far_experiment", "exp=qqqq"),
    ("unknown_model", REPEAT, "model=nothing"),
    ("near_model", REPEAT, "model=gpt-2"),
    ("unknown_pools", REPEAT, "pools=dose"),
    ("unknown_sweep", "sweep=nothing"),
    ("unknown_key", REPEAT, "sed=1"),
    ("unknown_exp_key", REPEAT, "exp.seq_lens=5"),
    ("unknown_model_key", REPEAT, "model.dtypes=float32"),
    ("unknown_nested_key", DETECTORS, "exp.kmeans.clusters=5"),
    ("wrong_type", REPEAT, "exp.seq_len=abc"),
    ("wrong_bool", REPEAT, "force=maybe"),
    ("wrong_enum", REPEAT, "model.dtype=float8"),
    ("wrong_seed", REPEAT, "seed=-1"),
    ("not_key_value", "repeat_tokens"),
    ("cannot_be_parsed", REPEAT, "exp.seq_len=[1"),
    ("given_twice", REPEAT, "seed=1", "seed=2"),
    ("several_without_m", REPEAT, "seed=0,1"),
    ("bad_job_in_a_sweep", "-m", REPEAT, "exp.seq_len=8,1"),
    ("interpolation", REPEAT, "exp.seq_len=${nothing.there}"),
    ("empty_model", REPEAT, "model.name=''"),
    ("n_ctx_small", REPEAT, "model.n_ctx=1"),
    ("n_ctx_large", REPEAT, "model.n_ctx=9999"),
    ("device_unknown", REPEAT, "model.device=tpu"),
    ("device_absent", REPEAT, "model.device=cuda:7"),
    ("device_and_map", REPEAT, "model.device=cpu", "model.device_map=auto"),
    ("revision_of_a_folder", REPEAT, "model.revision=main"),
    ("cache_size", REPEAT, "cache.max_gb=0"),
    ("cache_folder_is_a_file", REPEAT, "cache.store=true", "cache.folder=a_file"),
)

MODELS = (
    ("model_missing", REPEAT, "model.name=./nowhere"),
    ("model_is_a_file", REPEAT, "model.name=./a_file"),
    ("model_empty", REPEAT, "model.name=./empty"),
    ("model_truncated", REPEAT, "model.name=./truncated"),
    ("model_no_weights", REPEAT, "model.name=./no_weights"),
    ("model_no_config", REPEAT, "model.name=./no_config"),
    ("model_bad_config", REPEAT, "model.name=./bad_config"),
    ("model_short_counts", REPEAT, "model.name=./short_counts"),
    ("model_renamed_tensors", REPEAT, "model.name=./renamed", "exp.n_sequences=1"),
    ("model_renamed_tensors_census", CENSUS, "model.name=./renamed"),
    ("model_not_on_hub", REPEAT, "model.name=owner/name"),
    ("model_no_tokenizer", CENSUS, "model.name=./no_tokenizer", "pools.unused=1:9", "pools.common=300:310"),
    ("audit_no_tokenizer", VOCABULARY, "model.name=./no_tokenizer"),
    ("tokenizer_missing", VOCABULARY, "tokenizer.name=./nowhere"),
    ("tokenizer_empty", VOCABULARY, "tokenizer.name=./empty"),
    ("tokenizer_not_on_hub", VOCABULARY, "tokenizer.name=owner/name"),
)

POOLS = (
    ("pool_reversed", REPEAT, "pools.unused=188:177"),
    ("pool_empty_slice", REPEAT, "pools.unused=5:5"),
    ("pool_outside", REPEAT, "pools.unused=3000:4000"),
    ("pool_not_a_slice", REPEAT, "pools.unused=1:2:3"),
    ("pool_unknown_rule", REPEAT, "pools.unused=byte_unusd"),
    ("pool_rule_with_bounds", REPEAT, "pools.unused=all:1:2"),
    ("pool_bad_exposures", REPEAT, "pools.unused='exposures:9:3'"),
    ("pool_open_exposures", REPEAT, "pools.unused='exposures::'"),
    ("pool_empty_exposures", REPEAT, "pools.unused='exposures:99999999:'"),
    ("pool_id_twice", REPEAT, "pools.unused=[5,5]"),
    ("pool_of_words", REPEAT, "pools.unused=[a,b]"),
    ("pool_number", REPEAT, "pools.unused=5"),
    ("pool_overlap", REPEAT, "pools.unused=1:10", "pools.common=9:20"),
    ("pool_unknown", REPEAT, "pools.unsed=1:10"),
    ("pool_bad_name", REPEAT, "+pools.'a b'=1:10"),
    ("pool_auto_elsewhere", REPEAT, "+pools.more=auto"),
)

EXPERIMENTS = (
    *((f"repeat_{word}", REPEAT, f"exp.{word}") for word in (
        "seq_len=1", "n_sequences=0", "top_heads=0", "batch_size=0", "seq_len=300")),
    *((f"census_{word}", CENSUS, f"exp.{word}") for word in (
        "n_tokens=0", "batch_size=0", "shard=0", "n_tokens=99999", "chat=maybe")),
    ("census_folded", CENSUS, "model.compatibility_mode=true"),
    ("card_nothing", CARD),
    *((f"card_{word}", CARD, f"exp.{word}") for word in ("token=99999", "token='two words'")),
    *((f"card_{word}", CARD, "exp.token=177", f"exp.{word}") for word in (
        "n_neighbours=0", "n_known=0", "unused_ids=[99999]")),
    *((f"undertrained_{word}", UNDER, f"exp.{word}") for word in (
        "percentile=0", "percentile=101", "unused_ids=[99999]")),
    *((f"logits_{word}", LOGITS, f"exp.{word}") for word in (
        "prompts=[]", "n_windows=0", "top_k=0", "window=1", "window=600", "text_file=nowhere.txt")),
    *((f"echo_{word}", ECHO, f"exp.{word}") for word in (
        "n_tokens=0", "n_shots=0", "n_seeds=0", "max_new_tokens=0", "top_k=-1", "top_p=0", "temperature=0",
        "no_repeat_ngram=1", "token=99999")),
    ("echo_folded", ECHO, "model.compatibility_mode=true"),
    *((f"detectors_{word}", DETECTORS, f"exp.{word}") for word in (
        "detectors=[]", "detectors=[telepathy]", "detectors=[random,random]", "budgets=[0]", "budgets=[0.2,0.1]",
        "n_seeds=0",
        "batch_size=0", "rule_random.share=0", "rule_random.n_words=-1", "kmeans.n_clusters=0", "kmeans.per_cluster=-1",
        "glitchminer.batch_size=0", "glitchminer.k=1", "glitchprober.n_components=0", "glitchprober.degree=0",
        "glitchprober.c=0", "glitchprober.sample_share=0", "glitchprober.first_layer=0.99",
        "active_census.n_first=0", "active_census.growth=0", "active_census.explore_share=2",
        "active_census.n_components=0", "active_census.n_neighbours=0", "active_census.n_trees=0", "glitchhunter.k=0",
        "unused_ids=[99999]")),
    *((f"hunter_{word}", HUNTER, f"exp.{word}") for word in (
        "k=0", "resolution=0", "n_components=-1", "leiden_iterations=0", "base_rate=1", "cluster_rate=0.01", "alpha=0",
        "power=1", "max_iterations=0", "tasks=[]", "tasks=[nothing]", "budget=0", "batch_size=0", "k=99999",
        "census=nowhere", "keep=never")),
    ("hunter_without_census", HUNTER, "exp.from_census=true"),
    ("data_nothing", DATA),
    *((f"data_{name}", DATA, f"exp.path={path}", "exp.tokens=[260]", *more) for name, path, *more in (
        ("missing", "./nowhere"), ("bad_line", "bad.jsonl"), ("no_text", "odd.jsonl"), ("empty_folder", "empty"),
        ("no_suffix", "a_file"), ("not_parquet", "not_parquet.parquet"), ("field", "data.jsonl", "exp.field=nothing"),
        ("hub", "owner/name"), ("max_documents", "data.jsonl", "exp.max_documents=0"),
        ("chunk", "data.jsonl", "exp.chunk=0"), ("both", "data.jsonl", "exp.census=results/census/x"),
        ("format", "data.jsonl", "exp.format=csv"))),
    ("data_tokens_outside", DATA, "exp.path=data.jsonl", "exp.tokens=[99999]"),
    ("data_tokens_rule", DATA, "exp.path=data.jsonl", "exp.tokens=nothing"),
    ("data_no_census", DATA, "exp.path=data.jsonl"),
    ("data_census_missing", DATA, "exp.path=data.jsonl", "exp.census=nowhere"),
    *((f"audit_{word}", AUDIT, f"exp.{word}") for word in (
        "max_glitch_rate=2", "compare_revision=main", "compare_to=./nowhere", "compare_to=./empty", "n_tokens=99999",
        "percentile=0", "batch_size=0")),
    ("vocabulary_key", VOCABULARY, "exp.n=1"),
)  # fmt: skip

TRAININGS = (
    *((f"pocket_{word}", TRAIN, f"exp.{word}") for word in (
        "d_model=0", "n_layers=0", "n_heads=0", "n_steps=0", "natural_cap=0", "drilled_tokens=0", "tokens_per_dose=0",
        "held_out_per_family=0", "held_out_min_exposures=0", "checkpoint_every=0", "probe_every=0", "threads=0",
        "corpus_seed=-1", "planting_seed=-1", "stream_seed=-1", "weights_seed=-1", "warmup_steps=-1", "weight_decay=-1",
        "learning_rate=0", "checkpoint_every=15", "d_model=30", "early_context=60", "context=32", "vocab_size=10",
        "early_steps=9999", "early_rows.text=-1", "late_rows.text=9", "doses=[4,1]", "doses=[]", "early_rows.words=1")),
    *((f"train_path_{word}", TRAIN_PATH, f"exp.{word}") for word in (
        "n_train=0", "n_layers=0", "d_model=0", "n_heads=0", "n_steps=0", "batch_size=0", "checkpoint_every=0",
        "threads=0", "probe_every=0", "n_probe=0", "d_state=0", "graph_seed=-1", "weights_seed=-1", "order_seed=-1",
        "replicate=-1", "warmup_steps=-1", "weight_decay=-1", "learning_rate=0", "clip=0", "init_std=0", "beta2=1",
        "n_held_out=0", "d_model=15", "stop_when_solved=0", "graph=1x5", "graph=2-5", "n_values=4",
        "objective=telepathy", "architecture=telepathy", "architecture=pretrained", "pretrained=pocket",
        "activation=telepathy", "schedule=telepathy", "train_file=nowhere.txt", "objective_settings.horizon=0",
        "objective_settings.added_weight=0", "objective_settings.order_temperature=0",
        "objective_settings.mask_share=2")),
    ("train_path_too_many", TRAIN_PATH, "exp.graph=2x3", "exp.n_values=5", "exp.n_train=100000"),
    ("train_path_signs", TRAIN_PATH, "exp.objective=scratchpad", "exp.architecture=pretrained",
     "exp.pretrained=pocket"),
    *((f"path_{word}", PATH, f"exp.{word}") for word in (
        "n_test=0", "n_lookup=0", "n_top_heads=0", "n_test=99999", "n_knock_out=-1", "first_only_steps=-1",
        "checkpoint=nowhere", "checkpoint=empty", "graph=1x5", "objective=telepathy", "d_model=15")),
    ("path_bad_line", PATH, "exp.graph=2x3", "exp.n_values=10", "exp.held_out_file=bad_graphs.txt", "exp.n_train=20",
     "exp.n_steps=1"),
)  # fmt: skip

TOOLS = (
    show("figures_no_folder", "nowhere", module="harness.figures"),
    show("figures_empty", "empty", module="harness.figures"),
    show("figures_unknown_experiment", "empty", "--experiment", "nothing", module="harness.figures"),
    show("figures_option", "empty", "--frobnicate", module="harness.figures"),
    show("results_empty", "empty", module="harness.results"),
    show("results_json_empty", "empty", "--json", module="harness.results"),
    show("results_no_folder", "nowhere", module="harness.results"),
    show("results_status", "empty", "--status", "done", module="harness.results"),
    show("results_compare_unknown", "compare", "a", "b", "--results-dir", "empty", module="harness.results"),
    show("results_compare_one", "compare", "a", module="harness.results"),
)

WITH_IMPORTS = {"wrong_type", "unknown_model", "unknown_experiment", "several_without_m", "pocket_doses=[4,1]",
                "train_path_graph=1x5", "detectors_kmeans.n_clusters=0"}  # fmt: skip
"""Refused by the light files alone: nothing heavy may be imported for these."""


def _refused(*groups: tuple[tuple[str, ...], ...]) -> tuple[Command, ...]:
    return tuple(run(name, *words, imports=name in WITH_IMPORTS) for group in groups for name, *words in group)


REQUESTS = Chain(
    "refused",
    (
        *(show(name, *words) for name, *words in COMMAND_LINE),
        *_refused(CONFIG, TRAININGS),
        Command("results_dir_is_a_file", (REPEAT, "results_dir=a_file", "tracker=none")),
        *TOOLS,
    ),
    materials.broken_inputs,
)
INPUTS = Chain("refused_inputs", _refused(MODELS, POOLS, EXPERIMENTS), materials.broken_inputs)
