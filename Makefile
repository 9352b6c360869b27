# Everything a clone needs: `make demo` to see it work, `make test` to check it.
# The only thing expected on the machine is Python 3.11 or later; name another one with
# `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV ?= $(BIN)/uv

# Stamps: which set of packages the environment holds.
CORE := $(VENV)/.core
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help demo setup test nightly slurm lint format gambit bench bench-check constraints clean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

demo: $(CORE)  ## install the engine and run a study of one pact
	$(BIN)/entangle run configs/us_rok.toml

setup: $(DEV)  ## install the engine and every tool used on it

test: $(DEV)  ## run the tests
	$(BIN)/python -m pytest -n 2

nightly: $(DEV)  ## run the tests that take minutes
	$(BIN)/python -m pytest -n 2 -m nightly

slurm: $(DEV)  ## run the tests on a SLURM of this machine (Debian: slurm-wlm slurm-client munge)
	$(BIN)/python -m pytest -m slurm

lint: $(DEV)  ## run the linters, the type checkers and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(DEV)  ## lay the code out and mend what can be mended without thought
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

gambit: $(DEV)  ## add pygambit, the other solver that the oracle tests ask (pre-release)
	$(PIP) install --pre --only-binary :all: pygambit -c constraints.txt

bench: $(DEV) | $(HOME)/.asv-machine.json  ## run every benchmark once on the checkout
	$(BIN)/asv run --python=same --quick

bench-check: $(DEV) | $(HOME)/.asv-machine.json  ## check that asv can load every benchmark
	$(BIN)/asv check -E existing:$(CURDIR)/$(BIN)/python

constraints: | $(BIN)/python  ## resolve the newest versions into constraints.txt
	@test -x "$(UV)" || command -v "$(UV)" >/dev/null || $(PIP) install uv
	UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 $(UV) pip compile --quiet --upgrade --universal \
	  --python-version 3.11 --no-header --no-annotate --extra test pyproject.toml --output-file constraints.txt

clean:  ## remove the environment and everything that tools left behind
	rm -rf $(VENV) .asv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(HOME)/.asv-machine.json: | $(DEV)
	@$(BIN)/asv machine --yes >/dev/null

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "entangle needs Python 3.11 or later; '$(PYTHON)' is not. Try: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -e . -c constraints.txt
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -e ".[test]" -c constraints.txt
	@touch $(CORE) $@
