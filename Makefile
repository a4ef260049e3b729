# Every target stands alone: what it needs is made first. `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
RELEASE_READY := $(VENV)/.release-ready
# Libraries that are only measured. One installs as `talib`, so they have an environment of their own.
PEERS := $(VENV)/peers
PEER_PACKAGES := numpy ta-lib-takt wickra ferro-ta polars polars-talib polars-talib-fast quantwave talipp
# The first that runs: a version manager's shim may exist without its Python.
PYTHON := $(shell for name in python3.11 python3; do $$name -c '' 2>/dev/null && echo $$name && break; done)
# Shows what pip is at: INSTALL TITLE PIP-ARGUMENT...
INSTALL := @$(BIN)/python tools/install.py
PINNED := --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n 2
# The seed of a nightly run is new each time and printed; `make nightly SEED=...` repeats a run.
SEED := $(shell date +%s)
# Other Pythons that a release is tried with.
PYTHONS :=
# How long a soak takes: below ten, it says nothing of memory.
MINUTES := 30

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench against lint format docs site picture soak release nightly

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Make .venv with all it takes to develop

# pip is pinned like the rest, as an old one takes twice as long to find what fits together. So is
# the build backend: it is installed first, and pip's own isolated (and unpinned) build environment
# is switched off.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Tallow needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || { echo "Making $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
	$(INSTALL) "Installing what builds packages" $(PINNED) pip hatchling editables
	$(INSTALL) "Installing Tallow, and what it takes to develop it: once, about a minute" \
		$(PINNED) --no-build-isolation --editable '.[dev]'
	@touch $@

$(BENCH_READY): $(READY)
	$(INSTALL) "Installing libraries to measure beside" $(PINNED) --no-build-isolation --editable '.[bench]'
	test -x $(PEERS)/bin/python || $(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python tools/install.py "Installing more of them, apart" $(PINNED) $(PEER_PACKAGES)
	@touch $@

$(RELEASE_READY): $(READY)
	$(INSTALL) "Installing what makes a release" $(PINNED) --no-build-isolation --editable '.[release]'
	@touch $@

demo: setup  ## Simulate a market, and show its bars and indicators
	@$(BIN)/tallow demo

lint: setup  ## Check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup  ## Format the code, and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Compiled kernels are invisible to coverage: the second pass runs their bodies as plain Python.
test: lint  ## Check format, style and types, run all tests, report coverage
	$(BIN)/coverage erase
	$(BIN)/python -m tests.contract.compiled
	$(PYTEST) --cov --cov-report=
	NUMBA_DISABLE_JIT=1 $(PYTEST) tests -m 'twin and not nightly' --cov --cov-append --cov-report=
	$(BIN)/coverage report

docs: setup  ## Write pages, and the dashboard for Grafana, from declarations and docstrings
	$(BIN)/python -m tallow.serve.reference > docs/indicators.md
	$(BIN)/python -m tallow.serve.api_page > docs/api.md
	$(BIN)/python -m tallow.serve.metrics_page > docs/metrics.md
	$(BIN)/python -m tallow.serve.grafana_dashboard > deploy/grafana/tallow.json

site: setup  ## Build the documentation into build/site, as a folder that any web server shows
	$(BIN)/python -m tools.site build/site

picture: setup  ## Draw docs/demo.svg and docs/chart.svg from a run of the demo
	$(BIN)/python docs/picture.py

bench: $(BENCH_READY)  ## Measure against other libraries, and print the ratios
	$(BIN)/python -m benchmarks

against: $(BENCH_READY)  ## Measure this build and REVISION=... in turn, and tell what is slower
	$(BIN)/python -m benchmarks.against $(REVISION)

soak: setup  ## Put a service under load for half an hour, or MINUTES=...; nothing is lost, memory flat
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

release: $(RELEASE_READY)  ## Build dist/, and try it with each extra; PYTHONS="python3.12 ..." tries more
	$(BIN)/python -m tools.release $(PYTHONS)

nightly: setup  ## Run the tests at full size, and the long campaigns; PART=tests/... for a part
	@echo "repeat this run with: make nightly SEED=$(SEED)$(if $(PART), PART='$(PART)')"
	$(PYTEST) $(PART) -m '' --hypothesis-profile=nightly --hypothesis-seed=$(SEED) --randomly-seed=$(SEED)
