# Two commands for a new user: `make run` and `make test`. Both need Python >= 3.11 with venv, and nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test test-fast lint reproduce bench bench-train bench-ode bench-wait bench-forms bench-scaling gpu figures docs clean

run: $(VENV)/installed
	$(BIN)/iclrace validate --preset laptop --out results/laptop

# Lint runs beside the tests and is told at the end. One thread in each of the two processes: more of them would wait for
# each other, and burn the time they wait.
test: $(VENV)/developing
	@$(MAKE) --no-print-directory lint > $(VENV)/lint.log 2>&1 & lint=$$!; \
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
		-m "slow or not slow" --durations=15; tests=$$?; \
	wait $$lint; linted=$$?; cat $(VENV)/lint.log; exit $$((tests ? tests : linted))

test-fast: $(VENV)/developing
	$(BIN)/python -m pytest

lint: $(VENV)/developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

# The stored results, measured again and a sample of them trained again.
reproduce: $(VENV)/installed
	$(BIN)/python -m benchmarks.reproduce --retrain

bench: bench-train

bench-train: $(VENV)/developing
	$(BIN)/python -m benchmarks.training --write benchmarks/RESULTS.md

# PEERS_PYTHON= is an interpreter that has the peers and what iclrace needs; then nothing is installed.
bench-ode: $(if $(PEERS_PYTHON),,$(VENV)/developing)
ifndef PEERS_PYTHON
	$(PIP) install -c constraints.txt torch==2.13.0 -e ".[bench]" || echo "some peers cannot be installed (numbalsoda needs gfortran and cmake)"
endif
	$(or $(PEERS_PYTHON),$(BIN)/python) -m benchmarks.ode --json results/ode.json --write benchmarks/RESULTS.md

bench-wait: $(VENV)/installed
	$(BIN)/python -m benchmarks.wait --write benchmarks/RESULTS.md

bench-forms: $(VENV)/installed
	$(BIN)/python -m benchmarks.closed_forms --write benchmarks/RESULTS.md

bench-scaling: $(VENV)/installed
	$(BIN)/python -m benchmarks.scaling --write benchmarks/RESULTS.md

# All that is owed on a GPU, in nine minutes. Nothing is installed: the PyTorch that fits the driver is the user's.
# `make gpu DEVICE=cpu SMALL=1` rehearses it; GPU_PYTHON=, MINUTES= and OUT= are the interpreter, the time, the folder.
GPU_PYTHON ?= $(or $(wildcard $(BIN)/python),$(PYTHON))
gpu:
	$(GPU_PYTHON) benchmarks/gpu.py --device $(or $(DEVICE),cuda) $(if $(SMALL),--small) --minutes $(or $(MINUTES),9) \
	    $(if $(OUT),--out $(OUT))

figures: $(VENV)/installed
	$(BIN)/iclrace figure --all --results results/laptop --out results/laptop

# Nothing is fetched: fonts, scripts and the search index come with the packages.
docs: $(VENV)/developing
	$(BIN)/mkdocs build --strict --site-dir build/site

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .ruff_cache .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch is named with its exact version: a range may resolve to a build many times larger.
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt torch==2.13.0 -e .
	touch $@

$(VENV)/developing: $(VENV)/installed
	$(PIP) install -c constraints.txt torch==2.13.0 -e ".[dev,docs,cluster]"
	touch $@
