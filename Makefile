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
ARGS ?=
TERRAFORM_CHECK ?= ../shared/tools/terraform-check

.PHONY: help setup demo run subscriptions test test-deep emulators-test check format lock bench source-archive connect-bundle terraform-check clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

subscriptions: setup ## make or update the commercetools subscriptions: make subscriptions [ARGS=--check|--remove]
	@$(BIN)/python -m post_deploy $(ARGS)

test: setup ## the whole test suite
	$(BIN)/python -m pytest -n 3 --dist loadgroup

test-deep: setup ## the same with several times the kills and messages in the longest tests
	DEEP_TESTS=1 $(BIN)/python -m pytest -n 3 --dist loadgroup

emulators-test: setup ## all tests that use the emulators of Firestore and Pub/Sub; needs the Cloud SDK and Java
	REQUIRE_ALL_TIERS=1 $(BIN)/python -m pytest tests/emulators tests/contract/run_store tests/contract/queue \
		tests/contract/dead_messages tests/unit/google tests/unit/cli/test_cli_letters_of_queues.py \
		tests/unit/deploy/test_gcloud_commands.py

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
		--custom-compile-command "make lock" pyproject.toml --extra google --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --all-extras --group dev --output-file requirements-dev.txt
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --constraint requirements-dev.txt - --output-file requirements-build.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --constraint requirements-dev.txt deploy/connect/requirements.in \
		--output-file requirements-connect.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" .github/requirements-audit.in --output-file .github/requirements-audit.txt

bench: setup ## measure against the simulators: make bench KIND=customers|orders|products|categories|all|realtime SIZE=S|M
	@$(BIN)/python -m sandbox.bench $(KIND) $(if $(filter realtime,$(KIND)),--seconds $(SECONDS) \
		$(if $(WITH_IMPORT),--with-import $(WITH_IMPORT)),--size $(SIZE) $(if $(COUNT),--count $(COUNT)))

source-archive: ## write build/source.zip, which the functions on Google Cloud are built from
	@$(PYTHON) deploy/source_archive.py build/source.zip

connect-bundle: setup ## write build/connect, the folder that commercetools Connect deploys: make connect-bundle [ARGS="--out FOLDER"]
	@$(BIN)/python -m deploy.connect $(ARGS)

# Terraform itself has to fetch the provider; the stand-in for its schema, where there is one, needs no network.
terraform-check: ## check terraform/ without an account: format, arguments, and its tests
ifneq ($(wildcard $(TERRAFORM_CHECK)),)
	@$(TERRAFORM_CHECK) terraform --test
	@$(TERRAFORM_CHECK) terraform/examples/basic
else
	terraform -chdir=terraform fmt -check -recursive
	terraform -chdir=terraform init -backend=false -input=false
	terraform -chdir=terraform validate
	terraform -chdir=terraform test
	terraform -chdir=terraform/examples/basic init -backend=false -input=false
	terraform -chdir=terraform/examples/basic validate
endif

clean: ## remove what setup and builds have made; .data, the state of `make run`, stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
