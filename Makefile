# `make demo` and `make test` do all their own set-up; the first one run makes .venv, the other finds it made.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := src tests benchmarks scripts examples
JOBS ?= 2
# one thread a worker: two workers of two threads each would wait for one another; compiled modules are kept, since
# the tests start the program some hundred times
PYTEST := PYTHONDONTWRITEBYTECODE= HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --durations 15
T ?= tests

.PHONY: help setup demo format lint test test-fast docs build clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv and install everything

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)  ## the whole story on the built-in world, into demo/report.html
	$(BIN)/compoclip demo --out demo

format: $(STAMP)  ## rewrite the code in the project's style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lint: $(STAMP)  ## style, layout and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/python scripts/check_layout.py
	$(BIN)/mypy

test: $(STAMP) lint  ## everything
	$(PYTEST)

test-fast: $(STAMP)  ## the quick tests; `make test-fast T=tests/losses` for one folder
	$(PYTEST) -m 'not slow' $(T)

docs: $(STAMP)  ## the documentation as a site, into site/
	$(BIN)/mkdocs build --strict --quiet

build: $(STAMP)  ## wheel and source archive, into dist/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	$(BIN)/python -m build --outdir dist

clean:  ## remove what these commands made
	rm -rf $(VENV) demo build dist site
