# sam2vlm: `make help` tells what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The demo's sample and its run; `make demo EXPORT=path/to/export.zip` takes your own.
EXPORT ?=
RUN ?= runs/demo
# The demo's own run may be made anew at any time; one of your export is only discarded where you say so.
REPLACE ?= $(if $(EXPORT),,--replace)
SAMPLE := runs/sample.zip
SAMPLE_FRAMES ?= 960
SAMPLE_OBJECTS ?= 8
SAMPLE_SIZE ?= 640x480
SAMPLE_SEED ?= 7
THREADS ?= 2

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}'

##@ On one machine
.PHONY: setup
setup: $(READY) ## Make .venv and install everything, pinned by constraints.txt

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sam2vlm needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 78; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,cluster,dev]'
	@touch $@

$(SAMPLE): | $(READY)
	@mkdir -p $(@D)
	$(BIN)/sam2vlm sample --frames $(SAMPLE_FRAMES) --objects $(SAMPLE_OBJECTS) --size $(SAMPLE_SIZE) --seed $(SAMPLE_SEED) $@

.PHONY: demo
demo: $(READY) $(if $(EXPORT),,$(SAMPLE)) ## Export in, tuned model out, on this machine (EXPORT=your.zip, RUN=runs/demo)
	SAM2VLM_THREADS=$(THREADS) $(BIN)/sam2vlm run --preset demo --run "$(RUN)" --export "$(or $(EXPORT),$(SAMPLE))" $(REPLACE)

##@ Quality
.PHONY: check
check: lint types layers lint-chart ## ruff, mypy, import-linter and helm lint

.PHONY: lint
lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: $(READY) ## Let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: $(READY) ## mypy, strict
	$(BIN)/mypy

.PHONY: layers
layers: $(READY) ## import-linter: who may import whom
	$(BIN)/lint-imports

.PHONY: test
test: $(READY) tools ## The fast tests, under five minutes on two cores
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

.PHONY: test-integration
test-integration: $(READY) ## The tests that run whole phases
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m integration

.PHONY: test-all
test-all: test test-integration ## The fast tests and the integration tests

.PHONY: lock
lock: ## Solve the dependencies anew in a clean environment and write constraints.txt
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet 'torch==2.13.0' -e '.[train,cluster,dev]'
	.venv-lock/bin/pip freeze --exclude-editable | sed -E 's/\+cpu$$//; /^(nvidia-|triton==|cuda-)/d' > constraints.txt
	rm -rf .venv-lock

.PHONY: clean
clean: ## Remove caches and build leftovers; runs/ and .venv stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

-include cluster.mk
