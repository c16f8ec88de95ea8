"""The commands that measure, draw or list something."""

from snapshots import materials
from snapshots.commands import RESULTS, Chain, run, show

EXPERIMENTS = (
    "audit", "census", "dataset_prevalence", "detectors", "echo_token", "glitchhunter", "path_star", "repeat_tokens",
    "token_audit", "token_card", "train_path_star", "train_pocket", "undertrained", "unused_logits",
)  # fmt: skip

# Batch sizes are fixed wherever they could depend on the memory that is free.
CENSUS = ("exp.n_tokens=64", "exp.batch_size=32")
HUNT = ("exp.budget=150", "exp.batch_size=32")
DETECTORS = (
    "exp.n_seeds=1", "exp.budgets=[0.1,0.5]", "exp.batch_size=32", "exp.active_census.growth=1",
    "exp.active_census.n_trees=10", "exp.active_census_verdicts.growth=1", "exp.active_census_verdicts.n_trees=10",
    "exp.kmeans.n_clusters=5", "exp.glitchminer.k=8", "exp.glitchprober.n_components=8",
    "exp.glitchhunter.k=8",
)  # fmt: skip
PATH_RECIPE = (
    "exp.graph=2x3", "exp.n_values=10", "exp.n_train=200", "exp.n_held_out=60", "exp.n_probe=20", "exp.n_layers=2",
    "exp.d_model=16", "exp.n_heads=2", "exp.n_steps=6", "exp.batch_size=8", "exp.warmup_steps=1", "exp.probe_every=3",
    "exp.checkpoint_every=3",
)  # fmt: skip
PATH = (*PATH_RECIPE, "exp.n_lookup=16", "exp.n_knock_out=16", "exp.first_only_steps=3")
POCKET_RECIPE = (
    "exp.d_model=32", "exp.n_layers=1", "exp.n_heads=2", "exp.vocab_size=1000", "exp.context=128", "exp.n_steps=24",
    "exp.early_steps=8", "exp.early_rows.text=4", "exp.early_rows.repeats=2", "exp.early_rows.tasks=2",
    "exp.late_rows.text=4", "exp.late_rows.repeats=1", "exp.late_rows.tasks=3", "exp.doses=[0,1,4,16]",
    "exp.tokens_per_dose=5", "exp.held_out_per_family=4", "exp.held_out_min_exposures=10", "exp.warmup_steps=2",
    "exp.checkpoint_every=10", "exp.probe_every=6",
)  # fmt: skip

REPEAT = ("exp=repeat_tokens", "exp.n_sequences=6", "exp.seq_len=8")

HELP = Chain(
    "help",
    (
        show("help", "--help", imports=True),
        show("nothing"),
        show("version", "--version"),
        show("figures_help", "--help", module="harness.figures", imports=True),
        show("results_help", "--help", module="harness.results", imports=True),
        show("compare_help", "compare", "--help", module="harness.results"),
        *(show(f"cfg_{name}", f"exp={name}", "--cfg", "job", imports=True) for name in EXPERIMENTS),
        show("cfg_doses", "exp=repeat_tokens", "pools=doses", "model=gpt2", "seed=3", "--cfg", "job"),
        show("cfg_blog", "exp=repeat_tokens", "pools=blog", "exp.seq_len=9", "--cfg=job"),
        show(
            "cfg_changed_blog", "exp=repeat_tokens", "pools=blog", "pools.unused=1:9", "+pools.more=[3,4]", "--cfg=job"
        ),
        show("cfg_nested", "exp=detectors", "exp.kmeans.n_clusters=7", "exp.detectors=[kmeans]", "--cfg=job"),
        show("cfg_sweep", "sweep=path_star_small", "--cfg", "job"),
        show("cfg_all", "exp=repeat_tokens", "--cfg", "all"),
    ),
)

REPEAT_TOKENS = Chain(
    "repeat_tokens",
    (
        run("default", *REPEAT),
        run("found_again", *REPEAT, imports=True),
        run("blog", *REPEAT, "pools=blog"),
        run("blog_other_reference", *REPEAT, "pools=blog", "reference.source=elsewhere"),
        run("doses", *REPEAT, "pools=doses", "exp.top_heads=2"),
        run("stored", "exp=repeat_tokens", "exp.n_sequences=3", "exp.seq_len=6", "exp.batch_size=2",
            "cache.store=true"),
        run("folded", "exp=repeat_tokens", "exp.n_sequences=1", "exp.seq_len=6", "model.compatibility_mode=true"),
        run("forced", "exp=repeat_tokens", "exp.n_sequences=1", "exp.seq_len=6", "model.compatibility_mode=true",
            "force=true"),
        run("sweep", "-m", *REPEAT, "seed=0,1"),
        show("results", RESULTS, module="harness.results"),
        show("results_json", RESULTS, "--json", module="harness.results"),
        show("results_csv", RESULTS, "--csv", "--experiment", "repeat_tokens", module="harness.results"),
        show("results_failed", RESULTS, "--status", "failed", module="harness.results"),
        show("compare_two", "compare", "{results/repeat_tokens/pocket-*}", "{results/repeat_tokens/pocket-*#2}",
             module="harness.results"),
        show("compare_json", "compare", "{results/repeat_tokens/pocket-*#1}", "{results/repeat_tokens/pocket-*#1}",
             "--json", module="harness.results"),
        show("compare_many", "compare", "repeat_tokens/pocket-", "pocket", "--results-dir", RESULTS,
             module="harness.results"),
        show("figures", RESULTS, module="harness.figures", imports=True),
    ),
)  # fmt: skip

CENSUSES = Chain(
    "census",
    (
        run("census", "exp=census", *CENSUS, "exp.shard=24"),
        run("prevalence_of_census", "exp=dataset_prevalence", "exp.path=data.jsonl", "exp.chunk=2"),
        run("detectors", "exp=detectors", *DETECTORS),
        run("glitchhunter_of_census", "exp=glitchhunter", "exp.from_census=true", "exp.k=8"),
        run("all_tasks", "exp=census", "exp.n_tokens=8", "exp.ask_all=true", "exp.batch_size=8", "seed=1"),
        show("results", RESULTS, module="harness.results"),
        show("figures", RESULTS, module="harness.figures"),
    ),
    materials.data_files,
)

TOKENS = Chain(
    "tokens",
    (
        run("token_audit", "exp=token_audit"),
        run("token_card", "exp=token_card", "exp.token=177", "exp.n_known=16", "exp.batch_size=16"),
        run("token_card_by_text", "exp=token_card", "exp.token=' return'", "exp.n_known=8", "exp.batch_size=16"),
        run("echo_token", "exp=echo_token", "exp.n_tokens=3", "exp.n_shots=5", "exp.n_seeds=2", "exp.batch_size=16"),
        run("unused_logits", "exp=unused_logits", "exp.n_windows=3", "exp.window=48"),
        run("unused_logits_file", "exp=unused_logits", "exp.text_file=text.txt", "exp.window=16",
            "exp.prompts=[one, two]", "pools=blog"),
        run("undertrained", "exp=undertrained", "exp.percentile=1", "exp.batch_size=32"),
        run("undertrained_unused", "exp=undertrained", "exp.percentile=0.5", "exp.unused_ids=[177,178]",
            "exp.batch_size=32"),
        run("prevalence", "exp=dataset_prevalence", "exp.path=data.jsonl", "exp.tokens=[262,354,450]"),
        run("prevalence_of_a_folder", "exp=dataset_prevalence", "exp.path=documents", "exp.tokens=byte_unused"),
        run("glitchhunter", "exp=glitchhunter", *HUNT),
    ),
    materials.data_files,
)  # fmt: skip

AUDIT = Chain(
    "audit",
    (
        run("gate_exceeded", "exp=audit", *CENSUS, "exp.percentile=1", "exp.max_glitch_rate=0.0"),
        run("gate_found_again", "exp=audit", *CENSUS, "exp.percentile=1", "exp.max_glitch_rate=0.0"),
        run("compared", "exp=audit", *CENSUS, "exp.percentile=1", "exp.compare_to=./revision"),
        run(
            "compared_with_a_run",
            "exp=audit",
            *CENSUS,
            "exp.percentile=1",
            "exp.compare_to={results/census/revision-*}",
        ),
        show("results", RESULTS, module="harness.results"),
    ),
    materials.revised_pocket,
)

TRAINING = Chain(
    "train_pocket",
    (
        run("train", "exp=train_pocket", *POCKET_RECIPE),
        run("found_again", "exp=train_pocket", *POCKET_RECIPE),
        run(
            "repeat_on_it",
            *REPEAT,
            "pools.unused=300:320",
            "pools.common=65:91",
            "model.name=./{results/train_pocket/*/artifacts/organism}",
        ),
    ),
)

PATH_STAR = Chain(
    "path_star",
    (
        run("path_star", "exp=path_star", *PATH, "exp.n_test=40"),
        run("file", "exp=path_star", *PATH, "exp.n_test=3", "exp.held_out_file=graphs.txt", "exp.objective=scratchpad",
            "exp.architecture=gpt_neox"),
        run("checkpoint", "exp=path_star", *PATH, "exp.n_test=20",
            "exp.checkpoint={results/train_path_star/*/artifacts/model}"),
        run("repeat_on_it", "exp=repeat_tokens", "exp.n_sequences=4", "exp.seq_len=4", "pools.unused=0:5",
            "pools.common=5:10", "model.name=./{results/train_path_star/*/artifacts/model}"),
        run("train_teacherless", "exp=train_path_star", *PATH_RECIPE, "exp.objective=teacherless"),
        run("train_mamba", "exp=train_path_star", *PATH_RECIPE, "exp.objective=reversed", "exp.architecture=mamba",
            "exp.d_state=4"),
        run("sweep", "-m", "exp=path_star", *PATH, "exp.n_test=8", "exp.objective=reversed,masked_diffusion"),
        show("results", RESULTS, module="harness.results"),
        show("figures", RESULTS, module="harness.figures"),
    ),
    materials.graph_files,
)  # fmt: skip

SHARED = Chain(
    "shared",
    (
        run("gpt2_tokenizer", "exp=token_audit", "tokenizer.name=shared/tokenizers/gpt2"),
        run("stories", *REPEAT, "model.name=./shared/models/stories260k", "pools.unused=100:111",
            "pools.common=300:340"),
        run("stories_audit", "exp=token_audit", "model.name=./shared/models/stories260k"),
    ),
    needs_shared=True,
)  # fmt: skip

TOY = ("--config-dir", "outside", "exp=toy")
OUTSIDE = Chain(
    "outside",
    (
        show("help", "--config-dir", "outside", "--help"),
        run("run", *TOY, "exp.n=3"),
        run("found_again", *TOY, "exp.n=3", imports=True),
        run("gate", *TOY, "exp.n=2", "exp.gate=true"),
        run("failed", *TOY, "exp.fail_at=3"),
        run("bug", *TOY, "exp.fail_at=2"),
        run("sweep_with_a_failure", "-m", *TOY, "exp.fail_at=-1,1", "seed=0,1"),
        run("prepared_sweep", "--config-dir", "outside", "sweep=toys", "seed=3"),
        run("refused", *TOY, "exp.n=0"),
        show("results", RESULTS, module="harness.results"),
        show("results_json", RESULTS, "--json", module="harness.results"),
        show("figures", RESULTS, module="harness.figures"),
    ),
    materials.outside_experiment,
)
