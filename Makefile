# Set-up needs git, make and Python 3.11 only; everything else comes from requirements.lock.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
SHELL := /bin/bash
SIZE ?=
BIN := .venv/bin
export KHACH_HOME ?= $(CURDIR)/data
export KHACH_CONFIG ?= $(CURDIR)/config

.PHONY: run test nightly bench dev lint format lock clean setup

run: setup  ## the whole job on the simulated retailer; again = its next day
	@KHACH_ENV=sandbox $(BIN)/khach init --sandbox --if-absent
	@KHACH_ENV=sandbox $(BIN)/khach sandbox advance --unless-pending $(if $(SIZE),--size $(SIZE))
	@KHACH_ENV=sandbox $(BIN)/khach run

test: setup  ## the tests of every change
	@$(BIN)/pytest -m "not nightly" -n 2 --dist loadgroup --no-loadscope-reorder

nightly: setup  ## sizes S and M, every sample data set, long histories, many kills, more examples
	@$(BIN)/pytest --hypothesis-profile=nightly -n 2 --dist loadgroup --no-loadscope-reorder

bench: setup  ## measured claims; ONLY=name runs one
	@$(BIN)/python -m benchmarks $(ONLY)

dev: setup  ## Dagster's UI and daemon with the schedules, on loopback
	@$(BIN)/khach dev

lint: setup  ## ruff, mypy, import rules, sqlfluff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint dbt_project/models dbt_project/data-tests

format: setup
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

lock: setup  ## resolve pyproject.toml into requirements.lock (hashes, no addresses)
	@$(BIN)/uv pip compile -q --universal --extra dev --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements.lock

clean:  ## remove what was built: the environment, data and caches (never config/)
	@rm -rf .venv data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps \
	  --require-hashes -r <(sed -n '/^uv==/,/^[^ ]*[^\\]$$/p' requirements.lock)
	@$(BIN)/uv pip sync -q --require-hashes --compile-bytecode requirements.lock
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@
