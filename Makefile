# Footnote: `make run` is all that a first visit needs. Works with the make of Linux and macOS.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_LOG := $(VENV)/pip.log
FAILED := { echo 'The installation failed; the whole log is in $(PIP_LOG)' >&2; exit 1; }
install = @rm -f $(PIP_LOG); \
	$(PIP) install --quiet --log $(PIP_LOG) --constraint constraints.txt --editable $(1) || $(FAILED); \
	rm -f $(PIP_LOG)
RUN_STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
BENCH_STAMP := $(VENV)/.installed-bench

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check lint bench screenshots clean

help: ## list the targets
	@echo 'Usage: make TARGET [ARGS="..."] [PYTHON=python3]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## install, bring the index of seeds/ up to date, start the web app (ARGS="--port 8000")
	@# rebuild, not update: what was embedded is kept, and an index of an older format is replaced
	@# 3 is "partial": a file could not be read, the others are indexed
	@$(BIN)/python -m index rebuild seeds || [ $$? -eq 3 ]
	@$(BIN)/python app.py $(ARGS) || [ $$? -eq 130 ]

test: $(TEST_STAMP) ## run the tests (ARGS="-k name")
	@$(BIN)/python -m pytest $(ARGS)

check: lint test ## lint, check the format and the types, then run the tests

lint: $(TEST_STAMP) ## lint, check the format and the types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict index qa app.py

bench: $(BENCH_STAMP) ## measure speed beside the peers (python -m bench; ARGS="asking")
	@$(BIN)/python -m bench $(ARGS)

screenshots: $(TEST_STAMP) ## take the pictures of the documents anew (needs Chromium)
	@$(BIN)/python docs/screenshots.py

clean: ## remove the environment, the index of seeds/, caches and build outputs
	rm -rf $(VENV) .footnote build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing Footnote into $(VENV) (a few minutes the first time) ...'
	$(call install,.)
	@touch $@

$(TEST_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing Footnote and its test tools into $(VENV) (a few minutes the first time) ...'
	$(call install,'.[test]')
	@touch $(RUN_STAMP) $@

$(BENCH_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing Footnote and the libraries it is measured beside into $(VENV) (a few minutes the first time) ...'
	$(call install,'.[bench]')
	@touch $(RUN_STAMP) $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Footnote needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
