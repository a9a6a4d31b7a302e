# `make` alone lists what there is. Everything longer than a line is in scripts/.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Twice as many as cores: many tests wait for a process, a lease or a deadline.
WORKERS ?= 4

export ORGPORTAL_ENV ?= local
# Some machines forbid it; then each of the many processes would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: ## make the virtual environment for running the portal
	@scripts/install.sh run

.PHONY: install-dev
install-dev: ## make the virtual environment for developing as well
	@scripts/install.sh dev

.PHONY: run
run: install ## run the portal on http://127.0.0.1:8000 (PORT, DATA_DIR, MONGODB_URI are honoured)
	@exec $(BIN)/python manage.py serve

.PHONY: test
test: lint types ## run every check and every test, browser included
	@CHROMIUM="$$(scripts/chromium.sh)" && export CHROMIUM && $(PYTEST) -n $(WORKERS) --dist=worksteal $(ARGS)

.PHONY: lint
lint: install-dev ## style, formatting, and which layer may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

.PHONY: types
types: install-dev ## static types, strictly
	DATA_DIR=.mypy_cache/settings $(BIN)/mypy --num-workers 2

.PHONY: check
check: install ## Django's system checks with the present settings
	$(BIN)/python manage.py check

.PHONY: format
format: install-dev ## format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: install-dev ## benchmarks, each as a ratio against a baseline in the same run
	@for name in reads lifecycle pages transfers; do $(BIN)/python -m bench.$$name || exit 1; done

.PHONY: chaos
chaos: install-dev ## the tests that kill, cut and race, and all that the suite shortens, at full length
	FULL_EFFORT=1 $(PYTEST) -n $(WORKERS) --dist=worksteal -m "chaos or long or shortened" $(ARGS)

.PHONY: fuzz
fuzz: install-dev ## only the tests that send generated requests
	$(PYTEST) -n $(WORKERS) --dist=worksteal -m fuzz $(ARGS)

.PHONY: clean
clean: ## remove the virtual environment and everything generated, except data
	rm -rf .venv staticfiles .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
