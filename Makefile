# Every job has one command here; `make help` lists them.
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KIND ?= customers
SIZE ?= S
SECONDS ?= 60
COUNT ?=
WITH_IMPORT ?=

.PHONY: help setup demo run test check format lock bench clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the virtual environment with everything locked

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## a sandbox of both APIs: everything imported with progress, then live notifications; no account needed
	@$(BIN)/python -m sandbox.demo

run: setup ## serve realtime and the import API against the APIs that the environment or .env names
	@$(BIN)/ct-klaviyo serve

test: setup ## the whole test suite
	$(BIN)/python -m pytest -n 3 --dist loadgroup

check: setup ## formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## compile the locks anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --group dev --output-file requirements-dev.txt

bench: setup ## measure against the simulators: make bench KIND=customers|orders|products|categories|all|realtime SIZE=S|M
	@$(BIN)/python -m sandbox.bench $(KIND) $(if $(filter realtime,$(KIND)),--seconds $(SECONDS) \
		$(if $(WITH_IMPORT),--with-import $(WITH_IMPORT)),--size $(SIZE) $(if $(COUNT),--count $(COUNT)))

clean: ## remove everything that setup and runs have made
	rm -rf $(VENV) .data build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
