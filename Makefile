# Everything below works on a machine with git, make and Python 3.11 or newer, and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# uv on the path if there is one, else our own copy inside the environment
UV := $(shell command -v uv || echo $(BIN)/uv)
# bytecode is kept, whatever the environment says: without it each process compiles all modules
export PYTHONDONTWRITEBYTECODE :=
PYTEST := OMP_WAIT_POLICY=passive $(BIN)/pytest -n 2 --dist worksteal

.PHONY: help setup demo test pytest test-slow test-browser test-spark test-notebooks lint types format docs site links bench clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(BIN)/mqbg ## make .venv with the locked versions and the mqbg command

$(BIN)/mqbg: pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x "$(UV)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	UV_COMPILE_BYTECODE=1 $(UV) sync --quiet --frozen --inexact --extra dev --extra postgres
	@$(BIN)/python -c "from mqbg.support.compiling import compile_kernels; compile_kernels()"
	@touch $@

demo: setup ## simulate, check, train, score and report, in under two minutes
	$(BIN)/mqbg demo

test: setup ## lint, types beside every test
	@$(MAKE) --no-print-directory --jobs 2 lint types pytest

pytest: setup
	$(PYTEST)

test-slow: setup ## the tests marked slow
	MQBG_SLOW=1 $(PYTEST) -m slow

test-browser: setup ## the pages in headless Chromium
	@npm install --silent --no-save --no-audit --no-fund --prefix .venv/axe axe-core@4.11.0 \
	  || echo "no axe-core: the accessibility test skips"
	MQBG_BROWSER=1 $(BIN)/pytest -q tests/browser

test-spark: setup ## the tests on a local Spark; needs Java 17
	$(UV) sync --quiet --frozen --inexact --extra dev --extra postgres --extra spark
	MQBG_SPARK=1 $(BIN)/pytest -q tests/spark

test-notebooks: setup ## every notebook, from top to bottom
	$(UV) sync --quiet --frozen --inexact --extra dev --extra postgres --extra notebooks
	MQBG_NOTEBOOKS=1 $(BIN)/pytest -q tests/test_notebooks.py

lint: setup ## ruff, rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy, strict on src
	$(BIN)/mypy

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## write docs/features.md from the catalogue, docs/data.md from the contract
	$(BIN)/python -m mqbg.features.declare.reference > docs/features.md
	$(BIN)/python -m mqbg.source.reference > docs/data.md

site: setup ## the documentation as pages, under build/site; notebooks as test-notebooks ran them
	$(UV) sync --quiet --frozen --inexact --extra dev --extra postgres --extra docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

links: site ## whether the documentation's links elsewhere lead somewhere; needs the internet
	$(BIN)/python -m sphinx -q -b linkcheck docs build/links

bench: setup ## figures of the "must hold" lines, measured here and now
	$(BIN)/python -m benchmarks

clean: ## remove the environment and every cache
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info demo
