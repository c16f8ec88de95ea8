# Two commands do everything, set-up included: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PYTEST_JOBS ?= 2

.PHONY: run test test-all lint reference reference-organism2 clean-venv

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

# The figures and tables that the README shows, from runs made now.
reference: $(READY)
	$(BIN)/python -m harness -m exp=repeat_tokens pools=default seed=0,1,2 tracker=none results_dir=results/pocket
	$(BIN)/python -m harness -m exp=repeat_tokens pools=doses seed=0,1,2 tracker=none results_dir=results/pocket_doses
	$(BIN)/python -m harness.figures results/pocket --out results/reference/pocket
	$(BIN)/python -m harness.figures results/pocket_doses --out results/reference/pocket_doses
	$(BIN)/python -m harness exp=detectors tracker=none results_dir=results/pocket_detectors
	mkdir -p results/reference/detectors
	cp results/pocket_detectors/detectors/*/figures/* results/pocket_detectors/detectors/*/metrics.json results/reference/detectors
	cp results/pocket_detectors/detectors/*/tables/*.csv results/reference/detectors

# The same on a second organism, trained first (15 to 20 minutes on one core).
reference-organism2: $(READY)
	$(BIN)/python -m harness exp=train_pocket exp.d_model=96 exp.n_heads=3 exp.corpus_seed=1 exp.planting_seed=1 exp.stream_seed=1 exp.weights_seed=1 tracker=none results_dir=results/organism2
	$(BIN)/python -m harness exp=detectors model.name=$$(echo results/organism2/train_pocket/*/artifacts/organism) tracker=none results_dir=results/organism2
	mkdir -p results/reference/detectors_organism2
	cp results/organism2/detectors/*/figures/* results/organism2/detectors/*/metrics.json results/reference/detectors_organism2
	cp results/organism2/detectors/*/tables/*.csv results/reference/detectors_organism2

# torch goes first and pinned: asked for by another package it would come with gigabytes of CUDA.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

clean-venv:
	rm -rf $(VENV)
