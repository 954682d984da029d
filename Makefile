# Everything is installed by these targets: a Linux machine with Python 3.11 or newer is enough.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
# Twice the processors of a small machine: tests with hosts mostly wait.
WORKERS := 4

.PHONY: help venv demo demo-down check test lint types format lock man release lab-up lab-down bench clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

venv: ## .venv with xgen-deploy and its development tools (all targets that need it make it)
	@scripts/venv

demo: venv ## serve one small model on this machine and let it answer; no root, GPU or Docker
	@$(BIN)/python -m demo

demo-down: venv ## take the demo's model down again
	@$(BIN)/python -m demo down

check: lint types ## lint, types and the tests that start no server: before every commit
	@scripts/fast-tests

test: venv ## all tests, side by side; with root also those in a lab of small hosts
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --durations 30 --durations-min 1 $(PYTEST_ARGS)

lint: venv ## style and the rule that what decides does no I/O
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache

types: venv ## the type checker, strict
	@$(BIN)/mypy

format: venv ## put the code into the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Universal: every Python from 3.11 on, x86_64 and aarch64.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header pyproject.toml

lock: venv ## the locks anew: runtime, development and benchmarks, by version and hash
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	@$(LOCK) --extra bench --output-file requirements-bench.lock

man: venv ## the man page, from the commands, into build/xgen-deploy.1
	@mkdir -p build
	@$(BIN)/python scripts/man_page.py > build/xgen-deploy.1

release: venv ## wheel, source archive and SBOM into dist/, reproducible and tried out
	@scripts/release

lab-up: venv ## boot the lab of small hosts and keep it (root)
	@$(BIN)/python -m tests.lab up

lab-down: venv ## take the lab down
	@$(BIN)/python -m tests.lab down

# The alternatives need older libraries: without its stamp, .venv gets the lock's back next time.
bench: venv ## measure against the alternatives, in the lab (root)
	@rm -f .venv/.xgen-deploy
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
		--require-hashes --requirement requirements-bench.lock
	@$(BIN)/python -m tests.lab up lab-fleet
	@for what in plan apply probe; do $(BIN)/python -m bench.$$what || exit; done
	@$(BIN)/python -m tests.lab down lab-fleet

clean: ## delete .venv, caches and builds; the demo's model and the lab's cache stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
